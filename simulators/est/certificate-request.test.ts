import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readRequest } from './certificate-request.ts';
import { EstRefusal } from './refusal.ts';

const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'ignore'] });
const request = (...key: string[]): Buffer =>
  openssl('req', '-new', '-newkey', ...key, '-nodes', '-keyout', '/dev/null', '-subj', '/CN=dev-01', '-outform', 'DER');
const p256 = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
const base64 = (der: Buffer) => Buffer.from(der.toString('base64'));
const statusOf = async (body: Buffer): Promise<number | undefined> => {
  try {
    await readRequest(body);
    return undefined;
  } catch (error) {
    if (error instanceof EstRefusal) return error.status;
    throw error;
  }
};

it.each([
  ['RSA 2048', ['rsa:2048']],
  ['P-256', p256],
  ['P-384', ['ec', '-pkeyopt', 'ec_paramgen_curve:P-384']],
  ['P-521 with SHA-512', ['ec', '-pkeyopt', 'ec_paramgen_curve:P-521', '-sha512']],
  ['Ed25519', ['ed25519']],
])('%s is taken, byte for byte', async (_, key) => {
  const der = request(...key);
  expect((await readRequest(base64(der))).der).toEqual(der);
});

it.each([
  ['RSA 1024', ['rsa:1024'], /2048/],
  ['secp256k1', ['ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1'], /P-256/],
  ['SHA-1', [...p256, '-sha1'], /algorithm/],
  ['Ed448', ['ed448'], /algorithm|ed448/],
])('%s is refused', async (_, key, why) => {
  await expect(readRequest(base64(request(...key)))).rejects.toThrow(why);
});

it('base64 with LF, CRLF, any line length or none', async () => {
  const der = request(...p256);
  const text = der.toString('base64');
  for (const [length, end] of [
    [64, '\n'],
    [76, '\r\n'],
    [1, '\n'],
    [text.length, ''],
  ] as const) {
    const lines = (text.match(new RegExp(`.{1,${length}}`, 'g')) ?? []).map((line) => line + end).join('');
    expect((await readRequest(Buffer.from(lines))).der).toEqual(der);
  }
});

it('raw DER, PEM, cut padding and trailing bytes are 400', async () => {
  const der = request(...p256);
  const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
  expect(await statusOf(der)).toBe(400);
  expect(await statusOf(Buffer.from(pem))).toBe(400);
  expect(await statusOf(Buffer.from(`${der.toString('base64').replace(/=+$/, '')}A`.slice(0, -2)))).toBe(400);
  expect(await statusOf(base64(Buffer.concat([der, Buffer.of(0)])))).toBe(400);
  expect(await statusOf(Buffer.alloc(0))).toBe(400);
});

it('a changed byte anywhere is 400, never a crash and never taken', async () => {
  const der = request(...p256);
  for (let bit = 0; bit < der.length * 8; bit++) {
    const flipped = Buffer.from(der);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(await statusOf(base64(flipped)), `bit ${bit}`).toBe(400);
  }
  await fc.assert(
    fc.asyncProperty(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
      const changed = Buffer.from(der);
      changed[at] = (changed[at] ?? 0) ^ change;
      expect(await statusOf(base64(changed))).toBe(400);
    }),
    { numRuns: 300 },
  );
});
