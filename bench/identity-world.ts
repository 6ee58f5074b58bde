import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const LAUNCHER = resolve(import.meta.dirname, '../impl/bin/aziotd');
const VERSION = 'api-version=2022-08-01';

/** keyd and identityd with a manual device in a simulated hub, each a process. */
export interface IdentityWorld {
  readonly socketPath: string;
  readonly hub: string;
  readonly rootPem: string;
  /** Of identityd. */
  readonly pid: number;
  call(method: 'GET' | 'POST' | 'DELETE', target: string, body?: unknown): Promise<{ status: number; text: string }>;
  close(): Promise<void>;
}

async function until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 15_000;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

async function startHub(): Promise<{ child: ChildProcess; hostName: string; rootPem: string }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'hub-process.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout?.on('data', (chunk) => {
    text += chunk;
  });
  await until('the hub', () => text.endsWith('\n'));
  return { child, ...(JSON.parse(text) as { hostName: string; rootPem: string }) };
}

/** Starts all three. The uid of this process is the module `own`, or root with all rights. */
export async function startIdentity(caller: 'root' | 'module'): Promise<IdentityWorld> {
  const hub = await startHub();
  const root = mkdtempSync(join(tmpdir(), 'bench-'));
  const at = (name: string) => join(root, name);
  for (const name of ['keyd', 'identityd']) mkdirSync(at(name));
  writeFileSync(at('root.pem'), hub.rootPem);
  writeFileSync(at('device.key'), Buffer.alloc(32, 4), { mode: 0o600 });
  const endpoints = `[endpoints]\naziot_keyd = "unix://${at('keyd.sock')}"\naziot_identityd = "unix://${at('identityd.sock')}"\n`;
  writeFileSync(
    at('keyd.toml'),
    `max_requests = 64\n${endpoints}[aziot_keys]\nhomedir_path = "${at('keyd')}"\n[preloaded_keys]\ndevice-id = "file://${at('device.key')}"\n[[principal]]\nuid = ${process.getuid?.() ?? 0}\nkeys = ["*"]\n`,
  );
  const own = `[[principal]]\nuid = ${process.getuid?.() ?? 0}\nname = "own"\nidtype = ["module"]\n`;
  writeFileSync(
    at('identityd.toml'),
    `hostname = "bench"\nhomedir = "${at('identityd')}"\nmax_requests = 64\nprefer_module_identity_cache = true\n${endpoints}[provisioning]\nsource = "manual"\niothub_hostname = "${hub.hostName}"\ndevice_id = "bench"\n[provisioning.authentication]\nmethod = "sas"\ndevice_id_pk = "device-id"\n${caller === 'module' ? own : ''}`,
  );
  const start = async (name: string): Promise<ChildProcess> => {
    const variable = `AZIOT_${name.toUpperCase()}_CONFIG`;
    const env = {
      ...process.env,
      ...{ AZIOT_LOG: 'warn', SSL_CERT_FILE: at('root.pem') },
      ...{ [variable]: at(`${name}.toml`), [`${variable}_DIR`]: at('none') },
    };
    const child = spawn(LAUNCHER, [name], { env, stdio: ['ignore', 'ignore', 'inherit'] });
    await until(name, () => existsSync(at(`${name}.sock`)));
    return child;
  };
  const children = [hub.child, await start('keyd'), await start('identityd')];
  const call: IdentityWorld['call'] = (method, target, body) =>
    new Promise((done, fail) => {
      const text = body === undefined ? '' : JSON.stringify(body);
      const headers =
        text === '' ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
      const path = `${target}${target.includes('?') ? '&' : '?'}${VERSION}`;
      const asking = request({ socketPath: at('identityd.sock'), method, path, headers }, (answer) => {
        let got = '';
        answer.on('data', (chunk) => {
          got += chunk;
        });
        answer.on('end', () => done({ status: answer.statusCode ?? 0, text: got }));
      });
      asking.on('error', fail);
      asking.end(text);
    });
  await until('the modules', async () =>
    (await call('GET', '/identities/provisioning?status=true')).text.includes('"running":null'),
  );
  return {
    socketPath: at('identityd.sock'),
    hub: hub.hostName,
    rootPem: hub.rootPem,
    pid: children[2]?.pid ?? 0,
    call,
    async close() {
      const gone = children.map((child) => new Promise((done) => child.once('exit', done)));
      for (const child of children) child.kill('SIGTERM');
      await Promise.all(gone);
      rmSync(root, { recursive: true, force: true });
    },
  };
}
