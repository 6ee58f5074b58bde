import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { encodeResource, encodeSegment } from './encode.ts';
import { createSasToken } from './sas-token.ts';

const key = Buffer.from('bW9jay1pb3QtcHJvdmlzaW9uLWtleQ==', 'base64');
const sign = async (data: Uint8Array) => createHmac('sha256', key).update(data).digest();

describe('SAS tokens', () => {
  it('CL-001: both vectors, byte for byte', async () => {
    const dps = { resource: '0ne00ABCDEF/registrations/Dev-01', keyName: 'registration' } as const;
    expect(await createSasToken(dps, 1767225600, sign)).toBe(
      'SharedAccessSignature sr=0ne00abcdef/registrations/dev-01&sig=7Sgk0BI32Ol8J0XhuGGe6m8lu%2F1J4gb%2FZKvo40wo6bc%3D&se=1767225600&skn=registration',
    );
    const hub = { resource: 'MyHub.azure-devices.net/devices/Dev-01', keyName: undefined };
    expect(await createSasToken(hub, 1767225600, sign)).toBe(
      'SharedAccessSignature sr=myhub.azure-devices.net/devices/dev-01&sig=i5f3ScRY7Dc6S6IAYRXMedeDTDUk0mrKkZGpW5AQPCc%3D&se=1767225600',
    );
  });

  it('CL-003, CL-004: the resource is lower case with = and space encoded, slashes literal', () => {
    expect(encodeResource('Hub.Test/devices/Dev 1=X')).toBe('hub.test/devices/dev%201%3Dx');
    expect(encodeResource('h/devices/Dév')).toBe('h/devices/d%C3%A9v');
  });

  it('CL-005: a percent sign is encoded in resource and path', () => {
    expect(encodeResource('h/devices/dev%41')).toBe('h/devices/dev%2541');
    expect(encodeSegment('Dev%41')).toBe('Dev%2541');
  });

  it('an id is one path segment whatever it holds', () => {
    expect(encodeSegment('a/../b')).toBe('a%2F..%2Fb');
    expect(encodeSegment("$edgeAgent!'()*")).toBe('%24edgeAgent%21%27%28%29%2A');
    expect(encodeSegment('Dev 1=x')).toBe('Dev%201%3Dx');
    for (const id of ['', '.', '..']) expect(() => encodeSegment(id)).toThrow('cannot be part of an address');
  });
});
