import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasNginx, Nginx } from './test/nginx.ts';
import { makeTlsWorld } from './test/tls-world.ts';
import { buildEngine, type World } from './test/world.ts';

let world: World;

beforeAll(async () => {
  buildEngine();
  world = await makeTlsWorld(['srv-ec', 'srv-rsa']);
});

afterAll(() => world.close());

describe('nginx', () => {
  it.skipIf(!hasNginx).each(['srv-ec', 'srv-rsa'])(
    'SSL-021 serves TLS with the key id %s through an engine that openssl.cnf starts (skipped where nginx is not installed)',
    async (name) => {
      const nginx = await Nginx.start(world, `${name}.pem`, name);
      try {
        for (const version of ['1.2', '1.3']) {
          const url = `https://127.0.0.1:${nginx.port}/`;
          const answer = await world.run(['curl', '-sS', '--tls-max', version, '--cacert', 'ca.pem', url]);
          expect(answer).toMatchObject({ exit: 0, stdout: 'hello' });
        }
      } finally {
        await nginx.stop();
      }
    },
  );
});
