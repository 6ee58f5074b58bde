import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { makeAuthorities, pemOf, type Responder, startResponder } from '../est-client/index.ts';
import { type Context, expectStatus, group, stringMember, type World } from '../runner/index.ts';
import { Caller } from './caller.ts';
import { certdWithLocalCa, makeCa, makeCsr } from './world.ts';

/** A certd whose EST server accepts a request for `slow` and never answers. */
async function besideHangingServer(
  context: Context,
): Promise<{ readonly world: World; readonly responder: Responder }> {
  const ca = await makeAuthorities();
  const responder = await startResponder(ca, { auth: 'none', quirks: { '*': { hang: true } } });
  const world = await context.fresh();
  world.onDispose(() => responder.close());
  await certdWithLocalCa.build(world);
  await world.file('pre/est-ca.pem', pemOf(ca.root.certificate));
  const est = `username = "u"\npassword = "p"\ntrusted_certs = ["est-ca"]\n[cert_issuance.est.urls]\ndefault = "https://127.0.0.1:${responder.port}/est"`;
  const lines = `[cert_issuance]\nslow = { method = "est" }\n[cert_issuance.est]\n${est}\n[preloaded_certs]\nest-ca = "file://@ROOT@/pre/est-ca.pem"\n`;
  await world.file('certd/config.d/30-est.toml', lines);
  await world.restart('certd');
  return { world, responder };
}

const KILLS = 6;
/** A write takes about a millisecond; the kill comes at another point of one each time. */
const KILL_AFTER_MS = 40;

/** Stores two texts in turn until the daemon is gone. */
async function storeUntilKilled(world: World, texts: readonly [string, string]): Promise<void> {
  const root = new Caller(world);
  for (let turn = 0; ; turn += 1) {
    const result = await root.put('turned', texts[turn % 2] ?? '').catch(() => undefined);
    if (!result || result.closed) return;
    expectStatus(result, 201);
  }
}

/** certd while something else goes wrong. */
export const disturbed = group('certd disturbed', {
  'CS-076': [
    'an EST server that hangs holds up nobody else: other ids are read, stored and issued at once',
    'spec',
    async (context) => {
      const { world, responder } = await besideHangingServer(context);
      const root = new Caller(world);
      const slow = root.issue('slow', await makeCsr(world, '/CN=slow')).catch(() => undefined);
      const deadline = performance.now() + 10_000;
      while (responder.seen.length === 0) {
        assert.ok(performance.now() < deadline, 'no request reached the EST server');
        await new Promise((done) => setTimeout(done, 20));
      }
      const started = performance.now();
      const pem = stringMember(expectStatus(await root.get('local-ca'), 200), 'pem');
      expectStatus(await root.put('beside', pem), 201);
      await root.issued('by-ca', await makeCsr(world, '/CN=beside'));
      const seconds = (performance.now() - started) / 1000;
      assert.ok(seconds < 5, `others waited ${seconds.toFixed(1)} s`);
      await world.stop('certd');
      await slow;
    },
  ],
  'CS-077': [
    'after SIGKILL during a write the old or the new certificate is there, whole, and nothing beside it',
    'spec',
    async (context) => {
      const world = await context.fresh();
      await certdWithLocalCa.build(world);
      await makeCa(world, 'other', '/CN=TEST other');
      const read = async (id: string) => stringMember(expectStatus(await new Caller(world).get(id), 200), 'pem');
      await world.file('certd/config.d/30.toml', '[preloaded_certs]\nother = "file://@ROOT@/pre/other.pem"\n');
      await world.restart('certd');
      const texts = [await read('local-ca'), await read('other')] as const;
      expectStatus(await new Caller(world).put('turned', texts[0]), 201);
      for (let round = 0; round < KILLS; round += 1) {
        const storing = storeUntilKilled(world, texts);
        await new Promise((done) => setTimeout(done, KILL_AFTER_MS + 7 * round));
        const running = world.running('certd');
        running.kill('SIGKILL');
        await running.exit(5_000);
        await storing;
        await world.start('certd');
        assert.ok(texts.includes(await read('turned')), 'the certificate is neither the old one nor the new one');
      }
      expectStatus(await new Caller(world).put('turned', texts[1]), 201);
      const names = (await readdir(world.path('certd/home/certs'))).filter((name) => /turned/.test(name));
      assert.equal(names.length, 1, `left over: ${names.join(', ')}`);
    },
  ],
});
