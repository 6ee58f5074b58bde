import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import vectors from '../../fixtures/vectors/key-handles.json' with { type: 'json' };
import { hmacSha256, type KeyRef, mintHandle, openHandle } from './key-handle.ts';

const KEY = Buffer.from(vectors.validationKey, 'base64');
const mac = async (bytes: Buffer) => hmacSha256(KEY, bytes);
const NONCE = Buffer.from(vectors.nonce, 'base64');
/** The one of spec/keys-service.md 5.4. */
const VECTOR = vectors.cases.find(({ name }) => name === 'key pair')?.handle ?? '';
const INVALID = 'parameter "handle" has an invalid value\ncaused by: invalid handle';

async function signed(token: string | Buffer): Promise<string> {
  const bytes = Buffer.from(token);
  return `sr=${bytes.toString('base64')}&sig=${(await mac(bytes)).toString('base64')}`;
}

describe('key handle', () => {
  it('KS-059: the vector is minted and opened', async () => {
    expect(VECTOR).toMatch(/&sig=6y5T1edwv3pD6Ppg9oBeC09YgykgKXOjSGQZS\+aIdmY=$/);
    expect(await mintHandle({ kind: 'KeyPair', id: 'device-id' }, NONCE, mac)).toBe(VECTOR);
    expect(await openHandle(VECTOR, mac)).toEqual({ kind: 'KeyPair', id: 'device-id' });
  });

  it.each(vectors.cases)('KS-059: vector "$name"', async ({ keyId, handle }) => {
    const [kind, value] = Object.entries(keyId).find(([, id]) => id !== undefined) ?? [];
    const ref: KeyRef = Array.isArray(value)
      ? { kind: 'Derived', base: String(value[0]), data: Buffer.from(value[1] as number[]) }
      : { kind: kind === 'Key' ? 'Key' : 'KeyPair', id: String(value) };
    expect(await mintHandle(ref, NONCE, mac)).toBe(handle);
    expect(await openHandle(handle, mac)).toEqual(ref);
  });

  it('KS-062: the signed text has key_id first and the nonce in 88 characters', async () => {
    const handle = await mintHandle({ kind: 'Key', id: 'a"b' }, NONCE, mac);
    const text = Buffer.from(handle.slice(3, handle.indexOf('&')), 'base64').toString();
    expect(text).toBe(`{"key_id":{"Key":"a\\"b"},"nonce":"${NONCE.toString('base64')}"}`);
  });

  it('a derived key is its base handle and the data as numbers', async () => {
    const handle = await mintHandle({ kind: 'Derived', base: 'x', data: Buffer.of(1, 2, 255) }, NONCE, mac);
    const text = Buffer.from(handle.slice(3, handle.indexOf('&')), 'base64').toString();
    expect(text).toContain('{"Derived":["x",[1,2,255]]}');
  });

  it('KS-057: every changed character of the signed text or the signature is noticed', async () => {
    const places = [...VECTOR].flatMap((char, at) => (/[A-Za-z0-9+/]/.test(char) && at > 3 ? [at] : []));
    for (const at of places) {
      const changed = `${VECTOR.slice(0, at)}${VECTOR[at] === 'A' ? 'B' : 'A'}${VECTOR.slice(at + 1)}`;
      await expect(openHandle(changed, mac), changed).rejects.toThrow(INVALID);
    }
  });

  it.each([
    '',
    'foo',
    '&',
    'sr=&sig=',
    VECTOR.split('&')[0],
    VECTOR.slice(0, -4),
    `${VECTOR}A`,
    VECTOR.replace('sr=', 'SR='),
  ])('KS-057: %j is no handle', async (text) => {
    await expect(openHandle(text ?? '', mac)).rejects.toThrow(INVALID);
  });

  it('KS-058: order and further items do not matter, the last of a name counts', async () => {
    const [token = '', signature = ''] = VECTOR.split('&');
    for (const handle of [`${signature}&${token}`, `${VECTOR}&x=y`, `sr=AAAA&${VECTOR}`]) {
      expect(await openHandle(handle, mac)).toEqual({ kind: 'KeyPair', id: 'device-id' });
    }
  });

  it('KS-060: the bytes are signed, not their structure', async () => {
    const handle = await signed('{ "nonce": "x", "more": 1,\n "key_id": {"Key": "test1"} }');
    expect(await openHandle(handle, mac)).toEqual({ kind: 'Key', id: 'test1' });
  });

  it.each([
    'not json',
    '{}',
    'null',
    '[]',
    '{"key_id":{"Key":"a"}}',
    '{"key_id":{"Key":"a"},"nonce":1}',
    '{"key_id":{"Key":1},"nonce":""}',
    '{"key_id":{"Other":"a"},"nonce":""}',
    '{"key_id":{"Key":"a","KeyPair":"a"},"nonce":""}',
    '{"key_id":{"Derived":["a",[256]]},"nonce":""}',
    '{"key_id":{"Derived":["a",[1.5]]},"nonce":""}',
    '{"key_id":{"Derived":["a"]},"nonce":""}',
  ])('KS-060: signed %s is no handle', async (text) => {
    await expect(openHandle(await signed(text), mac)).rejects.toThrow(INVALID);
  });

  it('KS-060: signed bytes that are not UTF-8', async () => {
    await expect(openHandle(await signed(Buffer.of(0xff, 0x7b)), mac)).rejects.toThrow(INVALID);
  });

  it('a NUL in the id is named', async () => {
    const handle = await signed('{"key_id":{"Key":"ab\\u0000"},"nonce":""}');
    await expect(openHandle(handle, mac)).rejects.toThrow('nul byte found in provided data at position: 2');
  });

  it('what is minted opens again; nothing else does', async () => {
    const id = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));
    const ref: fc.Arbitrary<KeyRef> = fc.oneof(
      fc.record({ kind: fc.constant('Key' as const), id }),
      fc.record({ kind: fc.constant('KeyPair' as const), id }),
      fc.record({
        kind: fc.constant('Derived' as const),
        base: id,
        data: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      }),
    );
    await fc.assert(
      fc.asyncProperty(ref, async (one) => {
        expect(await openHandle(await mintHandle(one, NONCE, mac), mac)).toEqual(one);
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.string(), async (text) => {
        await expect(openHandle(text, mac)).rejects.toThrow(INVALID);
      }),
    );
  });
});
