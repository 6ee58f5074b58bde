import { beforeEach, describe, expect, test } from 'vitest';
import type { HttpsResponse, SendHttpsOptions } from '../https/index.ts';
import { createLogger } from '../process/index.ts';
import { createEstClient } from './index.ts';
import { clock, NOW, renewWorld, URL_BASE, world } from './testing/client-world.ts';

beforeEach(renewWorld);

describe('csrattrs', () => {
  const ask = (answer: Partial<HttpsResponse>) => {
    const log = createLogger({ target: 'est', filter: 'off', write: () => undefined, now: () => NOW });
    const sender = async (options: SendHttpsOptions): Promise<HttpsResponse> => {
      world.sent.push(options);
      return { status: 200, headers: {}, body: Buffer.alloc(0), tls: { protocol: null }, ...answer };
    };
    const client = createEstClient({ send: sender, clock, log, keydSocketPath: '/k', random: () => 0 });
    return client.csrAttributes({
      url: URL_BASE,
      trust: { anchors: [], source: 'test' },
      signal: new AbortController().signal,
    });
  };
  const base64 = (hex: string) => Buffer.from(Buffer.from(hex, 'hex').toString('base64'));

  test.each([204, 404])('%i means no wishes', async (status) => {
    expect(await ask({ status })).toEqual({ keyAlgorithms: [], extensions: [], unknown: [] });
    expect(world.sent[0]?.url).toBe(`${URL_BASE}/csrattrs`);
  });

  test('the example of RFC 7030 4.5.2 is read: what is not known is named', async () => {
    const text = 'MEEGCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAiMBYGCSqGSIb3DQEJDjEJBgcrBgEBAQEWBggqhkjOPQQDAw==';
    expect(await ask({ body: Buffer.from(text) })).toEqual({
      keyAlgorithms: [],
      extensions: [],
      unknown: ['1.2.840.113549.1.9.7', '1.3.132.0.34', '1.2.840.10045.4.3.3'],
    });
  });

  test('key kinds and extensions with values are taken over', async () => {
    const curve = '301506072a8648ce3d0201310a06082a8648ce3d030107';
    const rsa = '301106092a864886f70d010101310402020800';
    const eku = '301d0603551d250416301406082b0601050507030106082b06010505070302';
    const list = `301f${eku}`;
    const extensions = `302e06092a864886f70d01090e3121${list}`;
    const body = base64(`305a${curve}${rsa}${extensions}`);
    const attributes = await ask({ body });
    expect(attributes.keyAlgorithms).toEqual(['ec-p256', 'rsa-2048']);
    expect(attributes.extensions.map(({ oid, critical }) => [oid, critical])).toEqual([['2.5.29.37', false]]);
    expect(attributes.unknown).toEqual([]);
  });

  test.each([
    ['status 500', { status: 400 }],
    ['a page', { body: Buffer.from('<html>') }],
    ['damaged DER', { body: base64('3005') }],
    ['no list', { body: base64('0500') }],
  ])('%s is a typed error', async (_name, answer) => {
    await expect(ask(answer)).rejects.toMatchObject({ name: 'EstError' });
  });
});
