/** nginx as a TLS server whose key is in keyd, by way of an openssl.cnf that starts the engine. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from './tls-world.ts';
import type { World } from './world.ts';

/** Whether nginx is installed. */
export const hasNginx = (() => {
  try {
    execFileSync('nginx', ['-v'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

function configuration(world: World, certificate: string, identifier: string, port: number): string {
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${world.folder};`,
  );
  return `daemon off; ${user} pid ${world.file('nginx.pid')}; error_log ${world.file('nginx.log')}; worker_processes 2;
    env OPENSSL_ENGINES; env AZIOT_KEYD_SOCKET; events {}
    http { access_log off; ${folders.join(' ')}
      server { listen 127.0.0.1:${port} ssl; ssl_certificate ${world.file(certificate)};
        ssl_certificate_key "engine:aziot-key-openssl-engine:${identifier}"; location / { return 200 hello; } } }`;
}

/** A running nginx that answers every request with `hello`. */
export class Nginx {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(port: number, child: ChildProcess) {
    this.port = port;
    this.#child = child;
  }

  /**
   * Starts it in the foreground and waits until it accepts connections; rejects with what it said when it ends instead.
   * `identifier` is a key id or a handle.
   */
  static async start(world: World, certificate: string, identifier: string): Promise<Nginx> {
    const port = await freePort();
    const section = 'engine_id = aziot_keys\ninit = 1\n';
    const conf = `openssl_conf = all\n[all]\nengines = list\n[list]\naziot_keys = one\n[one]\n${section}`;
    writeFileSync(world.file('openssl.cnf'), conf);
    writeFileSync(world.file('nginx.conf'), configuration(world, certificate, identifier, port));
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
      if (accepted) return new Nginx(port, child);
      await delay(20);
    }
    throw new Error(`nginx ended: ${said}`);
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill();
    await ended;
  }
}
