import { beforeEach, describe, expect, test } from 'vitest';
import { createLogger } from '../process/index.ts';
import { createEstClient } from './index.ts';
import {
  certificate,
  clock,
  enrol,
  good,
  hex,
  key,
  NOW,
  posts,
  renewWorld,
  request,
  send,
  URL_BASE,
  world,
} from './testing/client-world.ts';

beforeEach(renewWorld);

describe('answers', () => {
  test('EST-014 EST-024 EST-026 leaf first, authorities behind, duplicates once', async () => {
    world.answers.simpleenroll = [() => good(world.ca, world.leaf)];
    world.answers.cacerts = [() => good(world.ca, world.ca, world.leaf)];
    expect(await enrol()).toEqual([world.leaf, world.ca].map(hex));
  });

  test.each([['EST-017 application/pkcs7-mime; smime-type=certs-only'], ['EST-047 Application/PKCS7-MIME']])(
    '%s is the content type',
    async (text) => {
      world.answers.simpleenroll = [() => ({ ...good(world.leaf), headers: { 'content-type': text.slice(8) } })];
      expect(await enrol()).toHaveLength(2);
    },
  );

  test.each([
    [
      'EST-017 another content type',
      () => ({ ...good(world.leaf), headers: { 'content-type': 'application/octet-stream' } }),
    ],
    ['EST-017 no content type', () => ({ ...good(world.leaf), headers: {} })],
    ['a longer type', () => ({ ...good(world.leaf), headers: { 'content-type': 'application/pkcs7-mimetype' } })],
    ['EST-018 status 201', () => ({ ...good(world.leaf), status: 201 })],
    ['EST-018 status 204', () => ({ ...good(world.leaf), status: 204 })],
    ['EST-020 a redirect', () => ({ status: 302, headers: { location: 'https://other/' } })],
    ['EST-021 status 401', () => ({ status: 401 })],
    ['EST-023 no certificates', () => good()],
    ['a page', () => ({ ...good(), body: Buffer.from('<html>') })],
  ])('%s is an error and tried once', async (_name, answer) => {
    world.answers.simpleenroll = [answer];
    await expect(enrol()).rejects.toThrow(/EST server/);
    expect(posts()).toHaveLength(1);
  });

  test('EST-025 a certificate for another key is an error', async () => {
    const other = await certificate(await request(key()), world.caKey, [world.ca]);
    world.answers.simpleenroll = [() => good(other)];
    await expect(enrol()).rejects.toThrow('key of the request');
  });

  test('an expired certificate is an error, one that begins later a warning', async () => {
    const late = { ...clock, now: () => world.leaf.notAfter };
    const log = createLogger({ target: 'est', filter: '', write: () => undefined, now: () => NOW });
    const client = createEstClient({ send, clock: late, log, keydSocketPath: '/k', random: () => 0.5 });
    const trust = { anchors: [], source: 'test' };
    await expect(
      client.enrol({ url: URL_BASE, csr: world.csr, trust, signal: new AbortController().signal }),
    ).rejects.toThrow('expired');
  });

  test('EST-022 where the CA list fails nothing is enrolled', async () => {
    world.answers.cacerts = [() => ({ status: 404 })];
    await expect(enrol()).rejects.toThrow('404 to cacerts');
    expect(posts()).toEqual([]);
  });

  test('a CA list without certificates is taken, as the reference does', async () => {
    world.answers.cacerts = [() => good()];
    expect(await enrol()).toEqual([hex(world.leaf)]);
  });
});
