import assert from 'node:assert/strict';
import { type Group, group } from '../runner/index.ts';
import { connectTo, expectPage, tlsWorld, withServer } from './tls.ts';

const VERSIONS = ['-tls1_2', '-tls1_3'] as const;
const CLIENTS_AT_ONCE = 50;

/** TLS with keys of the engine on both sides. */
export const connections: Group = group('openssl engine: TLS', {
  'SSL-020': [
    'clients with an EC and with an RSA key authenticate in TLS 1.2 and 1.3, by one signature each',
    'reference-run',
    async (context) => {
      const engine = await tlsWorld(context);
      await withServer(engine, 'srv-ec', async (server) => {
        for (const version of VERSIONS)
          for (const [name, path] of [
            ['ec', '/sign'],
            ['rsa', '/encrypt'],
          ] as const) {
            engine.recorder.take();
            expectPage(await connectTo(engine, server, name, { version }), version);
            // the server signs too
            const used = engine.operations().map((operation) => operation.path);
            assert.deepEqual(used.toSorted(), ['/sign', path].toSorted(), `${name} in ${version}`);
          }
      });
    },
  ],
  'SSL-021': [
    'servers with an EC and with an RSA key serve TLS 1.2 and 1.3',
    'reference-run',
    async (context) => {
      const engine = await tlsWorld(context);
      for (const name of ['srv-ec', 'srv-rsa'])
        await withServer(engine, name, async (server) => {
          for (const version of VERSIONS) expectPage(await connectTo(engine, server, 'ec', { version }), version);
        });
    },
  ],
  'SSL-022': [
    'a certificate of another key is refused before anything is signed',
    'reference-run',
    async (context) => {
      const engine = await tlsWorld(context);
      await withServer(engine, 'srv-ec', async (server) => {
        engine.recorder.take();
        const ended = await connectTo(engine, server, 'ec', { keyOf: 'rsa' });
        assert.notEqual(ended.exit, 0, 'the connection was made');
        assert.match(ended.stderr, /mismatch|does not match/);
        assert.deepEqual(engine.operations(), []);
      });
    },
  ],
  'SSL-023': [
    'curl authenticates with a key of the engine',
    'reference-run',
    async (context) => {
      const engine = await tlsWorld(context);
      await withServer(engine, 'srv-rsa', async ({ port }) => {
        await engine.curl(port, 'ec');
        await engine.curl(port, 'rsa');
      });
    },
  ],
  'SSL-024': [
    'fifty clients of one user at once all complete, whatever number of connections keyd serves at a time',
    'spec',
    async (context) => {
      const engine = await tlsWorld(context);
      const env = engine.env('direct');
      await withServer(engine, 'srv-ec', async (server) => {
        const clients = Array.from({ length: CLIENTS_AT_ONCE }, (_, index) =>
          connectTo(engine, server, index % 2 === 0 ? 'ec' : 'rsa', { env }),
        );
        const failed = (await Promise.all(clients)).filter(({ exit }) => exit !== 0);
        assert.deepEqual(
          failed.map(({ exit, stderr }) => ({ exit, stderr })),
          [],
        );
      });
    },
  ],
  'SSL-034': [
    'a key that was loaded before keyd was started again signs after it',
    'reference-run',
    async (context) => {
      const engine = await tlsWorld(context);
      await withServer(engine, 'srv-ec', async (server) => {
        expectPage(await connectTo(engine, server, 'ec'));
        await engine.world.restart('keyd');
        expectPage(await connectTo(engine, server, 'ec'));
      });
    },
  ],
});
