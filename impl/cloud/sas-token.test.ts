import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import vectors from '../../fixtures/vectors/sas-tokens.json' with { type: 'json' };
import { encodeResource, encodeSegment } from './encode.ts';
import { createSasToken } from './sas-token.ts';

describe('SAS tokens', () => {
  it.each(vectors.made)('CL-001: the vector for $name, byte for byte', async ({ token, expiry, key, ...made }) => {
    const sign = async (data: Uint8Array) => createHmac('sha256', Buffer.from(key, 'base64')).update(data).digest();
    const keyName = made.keyName === 'registration' ? made.keyName : undefined;
    expect(await createSasToken({ resource: made.resource, keyName }, expiry, sign)).toBe(token);
  });

  it.each(vectors.encoded)(
    'CL-003, CL-004, CL-005: $resource is lower case with =, space and % encoded, slashes literal',
    ({ resource, encoded }) => expect(encodeResource(resource)).toBe(encoded),
  );

  it('CL-005: a percent sign is encoded in the path', () => {
    expect(encodeSegment('Dev%41')).toBe('Dev%2541');
  });

  it('an id is one path segment whatever it holds', () => {
    expect(encodeSegment('a/../b')).toBe('a%2F..%2Fb');
    expect(encodeSegment("$edgeAgent!'()*")).toBe('%24edgeAgent%21%27%28%29%2A');
    expect(encodeSegment('Dev 1=x')).toBe('Dev%201%3Dx');
    for (const id of ['', '.', '..']) expect(() => encodeSegment(id)).toThrow('cannot be part of an address');
  });
});
