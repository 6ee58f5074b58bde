import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort, makeTlsWorld } from './test/tls-world.ts';
import { buildEngine, type World } from './test/world.ts';

const hasNginx = (() => {
  try {
    execFileSync('nginx', ['-v'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

let world: World;

beforeAll(async () => {
  buildEngine();
  world = await makeTlsWorld(['srv-ec', 'srv-rsa']);
  const section = 'engine_id = aziot_keys\ninit = 1\n';
  const conf = `openssl_conf = all\n[all]\nengines = list\n[list]\naziot_keys = one\n[one]\n${section}`;
  writeFileSync(world.file('openssl.cnf'), conf);
});

afterAll(() => world.close());

function configuration(name: string, identifier: string, port: number): string {
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${world.folder};`,
  );
  return `daemon off; ${user} pid ${world.file('nginx.pid')}; error_log ${world.file('nginx.log')}; worker_processes 2;
    env OPENSSL_ENGINES; env AZIOT_KEYD_SOCKET; events {}
    http { access_log off; ${folders.join(' ')}
      server { listen 127.0.0.1:${port} ssl; ssl_certificate ${world.file(`${name}.pem`)};
        ssl_certificate_key "engine:aziot-key-openssl-engine:${identifier}"; location / { return 200 hello; } } }`;
}

/** Starts nginx in the foreground and waits until it accepts connections; rejects with what it said when it ends instead. */
async function startNginx(port: number): Promise<ChildProcess> {
  const child = spawn('nginx', ['-p', world.folder, '-c', world.file('nginx.conf')], {
    env: { ...process.env, ...world.env, OPENSSL_CONF: world.file('openssl.cnf') },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr?.on('data', (piece: Buffer) => (said += piece.toString()));
  while (child.exitCode === null && child.signalCode === null) {
    const socket = connect(port, '127.0.0.1');
    const accepted = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (accepted) return child;
    await delay(20);
  }
  throw new Error(`nginx ended: ${said}`);
}

describe('nginx', () => {
  it.skipIf(!hasNginx).each(['srv-ec', 'srv-rsa'])(
    'SSL-021 serves TLS with the key id %s through an engine that openssl.cnf starts (skipped where nginx is not installed)',
    async (name) => {
      const port = await freePort();
      writeFileSync(world.file('nginx.conf'), configuration(name, name, port));
      const nginx = await startNginx(port);
      const ended = once(nginx, 'exit');
      try {
        for (const version of ['1.2', '1.3']) {
          const url = `https://127.0.0.1:${port}/`;
          const answer = await world.run(['curl', '-sS', '--tls-max', version, '--cacert', 'ca.pem', url]);
          expect(answer).toMatchObject({ exit: 0, stdout: 'hello' });
        }
      } finally {
        nginx.kill();
        await ended;
      }
    },
  );
});
