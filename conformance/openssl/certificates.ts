import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { STORES } from '../keys/index.ts';
import { type Context, type Group, group } from '../runner/index.ts';
import { EngineWorld, engineKey } from './engine-world.ts';
import { keysWorld } from './loading.ts';
import { connectTo, expectPage, issueCa, issueLeaf, withServer } from './tls.ts';

/** A certificate authority and leaves, all with keys in keyd, made and checked by the command line. */
async function issueAll(engine: EngineWorld, ca: string, leaves: readonly string[]): Promise<void> {
  const caKey = engine.handle(ca);
  await issueCa(engine, engineKey('-key', caKey));
  for (const leaf of leaves) {
    await issueLeaf(engine, leaf, engineKey('-CAkey', caKey));
    await engine.must(['openssl', 'verify', '-CAfile', 'ca.pem', `${leaf}.pem`]);
  }
}

/** How many key files there are while the keys of the script exist: those of the store, and the key that signs handles. */
const KEY_FILES = { file: 4, softhsm: 0 } as const;

/** The script of the reference's own tests (openssl.md 6): issue, serve, connect, with all keys in keyd. */
function script(storeName: keyof typeof KEY_FILES) {
  const store = STORES[storeName];
  return async (context: Context): Promise<void> => {
    const reason = store.whyNot();
    if (reason !== undefined) context.skip(reason, 'pkcs11');
    const engine = await EngineWorld.in(context, await context.fresh(), store);
    for (const algorithm of ['ec-p256', 'rsa-2048', 'rsa-4096']) {
      for (const name of ['ca', 'server', 'client']) {
        if (algorithm !== 'ec-p256') await engine.deletePair(name);
        await engine.makePair(name, algorithm);
      }
      await issueAll(engine, 'ca', ['server', 'client']);
      const files = await readdir(engine.path('keyd/home/keys')).catch(() => []);
      assert.equal(
        files.filter((name) => name.endsWith('.key')).length,
        KEY_FILES[storeName],
        `${algorithm}: key files`,
      );
      await withServer(engine, 'server', async (server) => {
        expectPage(await connectTo(engine, server, 'client'));
        await engine.curl(server.port, 'client');
      });
    }
  };
}

/** Certificates and requests that are signed through the engine. */
export const certificates: Group = group('openssl engine: certificates', {
  'SSL-018': [
    'a CA, a server and a client certificate issued through the engine verify',
    'reference-run',
    async (context) => {
      const engine = await keysWorld(context);
      await engine.makePair('ca', 'ec-p256');
      await issueAll(engine, 'ca', ['ec', 'rsa']);
      await issueAll(engine, 'rsa', ['ec']);
    },
  ],
  'SSL-019': [
    'a certificate request signed through the engine verifies',
    'reference-run',
    async (context) => {
      const engine = await keysWorld(context);
      for (const name of ['ec', 'rsa']) {
        const key = engineKey('-key', engine.handle(name));
        await engine.must(['openssl', 'req', '-new', ...key, '-subj', '/CN=TEST device', '-out', 'device.csr']);
        assert.equal(engine.operations().length, 1, 'requests that sign');
        const said = await engine.must(['openssl', 'req', '-in', 'device.csr', '-verify', '-noout']);
        assert.match(said, /verify OK/);
      }
    },
  ],
  'SSL-033/file': ['the script passes with P-256, RSA-2048 and RSA-4096 in files', 'spec', script('file')],
  'SSL-033/softhsm': ['the script passes with P-256, RSA-2048 and RSA-4096 in a token', 'spec', script('softhsm')],
});
