import { execFileSync } from 'node:child_process';
import { createECDH, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { expect, it } from 'vitest';
import { requestForAuthority } from './certificate-request.ts';

function remoteKey() {
  const ecdh = createECDH('prime256v1');
  ecdh.generateKeys();
  const whole = ecdh.getPublicKey();
  const [x, y] = [whole.subarray(1, 33), whole.subarray(33)].map((part) => part.toString('base64url'));
  const jwk = { kty: 'EC', crv: 'P-256', x: x!, y: y!, d: ecdh.getPrivateKey().toString('base64url') };
  const privateKey = createPrivateKey({ key: jwk, format: 'jwk' });
  return { point: ecdh.getPublicKey(null, 'compressed'), privateKey, publicKey: createPublicKey(privateKey) };
}

/** The first member of the outer SEQUENCE; both have lengths of 128 to 65535 bytes. */
function signedPart(pem: string): Buffer {
  const request = Buffer.from(pem.replaceAll(/-----[^-]+-----|\n/g, ''), 'base64');
  const sizeOf = (at: number) => (request[at + 1] === 0x81 ? [3, request[at + 2]!] : [4, request.readUInt16BE(at + 2)]);
  const start = sizeOf(0)[0]!;
  const [header, size] = sizeOf(start);
  return request.subarray(start, start + header! + size!);
}

it('a request for an authority verifies, and asks to be a CA of leaves', async () => {
  const { point, privateKey, publicKey } = remoteKey();
  // a signature over the digest of the whole request information: the test signs the bytes that openssl will check
  let digest: Uint8Array = new Uint8Array();
  const unsigned = await requestForAuthority('TEST CA é', { point, sign: async (given) => (digest = given) });
  expect(digest).toHaveLength(32);
  const info = signedPart(unsigned);
  const pem = await requestForAuthority('TEST CA é', { point, sign: async () => sign('sha256', info, privateKey) });

  const text = execFileSync('openssl', ['req', '-verify', '-noout', '-text', '-nameopt', 'utf8'], {
    input: pem,
    encoding: 'utf8',
  });
  expect(text).toMatch(/Subject: CN ?= ?TEST CA é/);
  expect(text).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
  expect(text).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign/);
  const publicPem = execFileSync('openssl', ['req', '-noout', '-pubkey'], { input: pem, encoding: 'utf8' });
  expect(publicPem).toBe(publicKey.export({ type: 'spki', format: 'pem' }));
});
