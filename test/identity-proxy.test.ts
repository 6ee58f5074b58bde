import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import {
  configureIdentityd,
  configureIssuedDevice,
  configureKeyd,
  createIdentityWorld,
  enrolSymmetric,
  type IdentityWorld,
  symmetricProvisioning,
} from './identity-world.ts';

const TINYPROXY = '/usr/bin/tinyproxy';
const IN_LINE = 'Identity reconciliation complete.';
/** tinyproxy takes letters, digits and `-._` only; the URL has them percent-encoded all the same. */
const PASSWORD = 'p-ss.w_rd';
const PROXY_USER = 'agent:p%2Dss%2Ew%5Frd';

let world: IdentityWorld;
let proxy: ChildProcess | undefined;
afterEach(async () => {
  if (proxy && proxy.exitCode === null) {
    const ended = new Promise((done) => proxy?.once('exit', done));
    proxy.kill('SIGKILL');
    await ended;
  }
  proxy = undefined;
  await world.close();
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      done(true);
    });
    socket.on('error', () => done(false));
  });
}

/** A real proxy that wants credentials; answers its port. */
async function startProxy(): Promise<number> {
  const port = await freePort();
  const log = `${world.folder}/proxy.log`;
  const lines = [
    `Port ${port}`,
    'Listen 127.0.0.1',
    `LogFile "${log}"`,
    'LogLevel Connect',
    `BasicAuth agent ${PASSWORD}`,
    'Timeout 30',
  ];
  const conf = await world.write('tinyproxy.conf', `${lines.join('\n')}\n`);
  proxy = spawn(TINYPROXY, ['-d', '-c', conf], { stdio: 'ignore' });
  await expect.poll(() => accepts(port), { timeout: 10_000 }).toBe(true);
  return port;
}

const proxied = async () =>
  ((await readFile(`${world.folder}/proxy.log`, 'utf8')).match(/CONNECT localhost:\d+/g) ?? []).length;

async function start(env: Readonly<Record<string, string>>): Promise<void> {
  world = await createIdentityWorld();
  enrolSymmetric(world);
  await configureKeyd(world);
  await configureIdentityd(world, symmetricProvisioning(world), ['m1']);
  await world.start('keyd');
  const port = await startProxy();
  const told = Object.entries(env).map(([name, value]) => [name, value.replace('PORT', String(port))]);
  await world.start('identityd', Object.fromEntries(told));
}

describe.skipIf(!existsSync(TINYPROXY))('a real proxy (tinyproxy is not installed where this is skipped)', () => {
  it('CL-050: DPS and hub are reached through it with the decoded credentials, which the log masks', async () => {
    await start({ HTTPS_PROXY: `http://${PROXY_USER}@127.0.0.1:PORT` });
    await world.logs('identityd', IN_LINE);
    expect(await proxied()).toBeGreaterThanOrEqual(4);
    expect(world.log('identityd')).toMatch(/HTTPS proxy server http:\/\/agent:\*{6}@127\.0\.0\.1:\d+\//);
    expect(world.log('identityd')).not.toContain('rd@127');
    const seen = [...world.dps.journal.list(), ...world.hub.journal.list()];
    expect(seen.flatMap(({ headers }) => headers.map(([name]) => name))).not.toContain('proxy-authorization');
    expect(seen.every(({ target }) => target.startsWith('/'))).toBe(true);
  });

  it('CL-050: an X.509 device goes through it too', async () => {
    world = await createIdentityWorld();
    await configureIssuedDevice(world, 'Dev-X');
    await world.start('keyd');
    await world.start('certd');
    const port = await startProxy();
    await world.start('identityd', { https_proxy: `http://${PROXY_USER}@127.0.0.1:${port}` });
    await world.logs('identityd', IN_LINE);
    expect(await proxied()).toBeGreaterThanOrEqual(4);
  });

  it('wrong credentials: the log says that the proxy refused, and nothing reaches the cloud', async () => {
    await start({ HTTPS_PROXY: 'http://agent:wrong@127.0.0.1:PORT' });
    await world.logs('identityd', 'the proxy answered 401 to CONNECT');
    expect(world.log('identityd')).not.toContain('wrong');
    expect(world.dps.journal.list()).toEqual([]);
  });

  it('CL-051: what no_proxy lists is reached without it', async () => {
    await start({ HTTPS_PROXY: `http://${PROXY_USER}@127.0.0.1:PORT`, no_proxy: 'example.org, localhost' });
    await world.logs('identityd', IN_LINE);
    expect(await proxied()).toBe(0);
  });
});
