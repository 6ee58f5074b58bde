import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, mkdir, readFile, rename, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import {
  type Context,
  exchange,
  expectError,
  type expectStatus,
  type Group,
  group,
  type World,
} from '../runner/index.ts';
import { freshFor, SUBJECTS, type Subject, target } from './subject.ts';

async function configured(context: Context, subject: Subject, more: Record<string, string> = {}): Promise<World> {
  const world = await freshFor(context, subject);
  await world.configure(subject.daemon, { main: subject.minimal, dropIns: more });
  return world;
}

async function serves(world: World, subject: Subject, socket = world.socket(subject.daemon)): Promise<void> {
  expectError(await exchange(socket, 0, { method: 'GET', target: target(subject, '/nosuch') }), 404, 'not found');
}

/** Starts with more configuration, and expects exit 1 with a word in the log. */
async function refuses(context: Context, subject: Subject, toml: string, word: RegExp): Promise<void> {
  const world = await configured(context, subject, { '10-more.toml': toml });
  const ended = await world.startExpectingExit(subject.daemon);
  assert.equal(ended.code, 1, `exit code; log:\n${ended.log}`);
  assert.match(ended.log, word);
}

/** A listening descriptor to hand over; node:net shows it on its handle only. */
async function listening(server: Server, where: string | { port: number; host: string }): Promise<number> {
  server.listen(where);
  await once(server, 'listening');
  const { _handle: handle } = server as unknown as { _handle: { fd: number } };
  return handle.fd;
}

async function handedOver(context: Context, subject: Subject): Promise<void> {
  const world = await configured(context, subject);
  const server = createServer();
  const path = world.path('run', 'handed-over.sock');
  const fd = await listening(server, world.path('run', 'made.sock'));
  const running = world.launch(subject.daemon, {}, fd);
  // this process must not accept in the daemon's place, and its end must not remove the file
  await rename(world.path('run', 'made.sock'), path);
  server.close();
  await running.ready(path, 15_000);
  await serves(world, subject, path);
  await assert.rejects(stat(world.path('run', `${subject.daemon}.sock`)), 'a socket file of its own was made');
}

/** Requirements on start, configuration files, sockets, log and end. */
export const processLife: readonly Group[] = SUBJECTS.map((subject) => {
  const { daemon } = subject;
  return group(`process of ${daemon}`, {
    [`TR-032/${daemon}`]: [
      'max_requests = -1 or a string ends the start with exit 1',
      'spec',
      async (context) => {
        await refuses(context, subject, 'max_requests = -1\n', /max_requests/);
        await refuses(context, subject, 'max_requests = "x"\n', /max_requests/);
      },
    ],
    [`TR-033/${daemon}`]: [
      'max_requests = 0 is a configuration error',
      'spec',
      (context) => refuses(context, subject, 'max_requests = 0\n', /max_requests/),
    ],
    [`TR-034/${daemon}`]: [
      'a stale socket file is replaced',
      'spec',
      async (context) => {
        const world = await configured(context, subject);
        const first = await world.start(daemon);
        first.kill('SIGKILL');
        await first.exit(5_000);
        await world.start(daemon);
        await serves(world, subject);
      },
    ],
    [`TR-035/${daemon}`]: [
      'an empty folder at the socket path is removed with a warning; one with content is left',
      'spec',
      async (context) => {
        const world = await configured(context, subject);
        await mkdir(world.socket(daemon));
        const running = await world.start(daemon);
        await running.logged(/\[WARN\]/, 5_000);
        await serves(world, subject);
        const full = await configured(context, subject);
        await mkdir(full.socket(daemon));
        await writeFile(`${full.socket(daemon)}/precious`, 'x');
        assert.equal((await full.startExpectingExit(daemon)).code, 1);
        assert.equal(await readFile(`${full.socket(daemon)}/precious`, 'utf8'), 'x');
      },
    ],
    [`TR-036/${daemon}`]: [
      'the socket file has mode 0660',
      'spec',
      async (context) => {
        const world = await configured(context, subject);
        await world.start(daemon);
        assert.equal((await stat(world.socket(daemon))).mode & 0o777, 0o660);
      },
    ],
    [`TR-037/${daemon}`]: [
      'a socket handed over by systemd is served, and none is made',
      'spec',
      (context) => handedOver(context, subject),
    ],
    [`TR-038/${daemon}`]: [
      'LISTEN_PID of another process is ignored',
      'spec',
      async (context) => {
        const world = await configured(context, subject);
        await world.start(daemon, { env: { LISTEN_PID: '1', LISTEN_FDS: '1' } });
        await serves(world, subject);
      },
    ],
    [`TR-039/${daemon}`]: [
      'LISTEN_FDS that is no number ends the start with exit 1',
      'spec',
      async (context) => {
        const world = await configured(context, subject);
        const server = createServer();
        const fd = await listening(server, world.path('run', 'other.sock'));
        const ended = await world.launch(daemon, { LISTEN_FDS: 'abc' }, fd).exit(15_000);
        server.close();
        assert.equal(ended.code, 1, ended.log);
      },
    ],
    [`TR-040/${daemon}`]: [
      'a TCP listener handed over ends the start with exit 1',
      'spec',
      async (context) => {
        const world = await configured(context, subject);
        const server = createServer();
        const fd = await listening(server, { port: 0, host: '127.0.0.1' });
        const ended = await world.launch(daemon, {}, fd).exit(15_000);
        server.close();
        assert.equal(ended.code, 1, ended.log);
      },
    ],
    [`TR-041/${daemon}`]: [
      'endpoints: an absolute unix URI is used, a key of another form is warned about',
      'spec',
      async (context) => {
        const world = await freshFor(context, subject);
        if (!world.ownSockets) context.skip('the daemons under test do not read [endpoints]');
        const other = daemon === 'tpmd' ? 'aziot_keyd' : 'aziot_tpmd';
        await world.configure(daemon, { main: `${subject.minimal}\n[endpoints]\n${other} = "fd://7"\n` });
        await world.file(`${daemon}/config.d/zzz.toml`, `[endpoints]\n${other} = 5\n`);
        const running = await world.start(daemon);
        await serves(world, subject);
        if (daemon === 'identityd') await running.logged(/\[WARN\].*aziot_tpmd/, 5_000);
      },
    ],
    [`TR-045/${daemon}`]: [
      'drop-ins are applied in byte order of their names',
      'spec',
      async (context) => {
        const world = await configured(context, subject, {
          '10-a.toml': 'max_requests = -1\n',
          '9-b.toml': 'max_requests = 5\n',
        });
        await world.start(daemon);
        await serves(world, subject);
      },
    ],
    [`TR-047/${daemon}`]: [
      'files that do not end in .toml, and folders that do, are ignored',
      'spec',
      async (context) => {
        const world = await configured(context, subject, {
          'x.TOML': 'broken [',
          'x.toml.bak': 'broken [',
          '.toml': 'broken [',
        });
        await mkdir(world.path(daemon, 'config.d', 'y.toml'));
        await world.start(daemon);
        await serves(world, subject);
      },
    ],
    [`TR-048/${daemon}`]: [
      'a symbolic link among the drop-ins is ignored',
      'reference-run',
      async (context) => {
        const world = await configured(context, subject);
        await world.file('elsewhere.txt', 'broken [');
        await symlink(world.path('elsewhere.txt'), world.path(daemon, 'config.d', 'z.toml'));
        await world.start(daemon);
        await serves(world, subject);
      },
    ],
    [`TR-049/${daemon}`]: [
      'a drop-in that replaces a table by a scalar is found by the validation',
      'spec',
      (context) => {
        const table = {
          keyd: 'aziot_keys',
          certd: 'cert_issuance',
          identityd: 'provisioning',
          tpmd: 'hierarchy_authorization',
        }[daemon];
        return refuses(context, subject, `${table} = 1\n`, new RegExp(`\\[ERR!\\].*${table}|could not read config`));
      },
    ],
    [`TR-050/${daemon}`]: [
      'a syntax error in one drop-in ends the start and is named',
      'spec',
      (context) => refuses(context, subject, 'x = = 1\n', /10-more\.toml/),
    ],
    [`TR-053/${daemon}`]: [
      'AZIOT_LOG=debug shows lines of level debug, the default does not',
      'spec',
      async (context) => {
        const world = await configured(context, subject);
        const quiet = await world.start(daemon);
        assert.doesNotMatch(quiet.log, /^<7>/m);
        const loud = await world.restart(daemon, { env: { AZIOT_LOG: 'debug' } });
        await serves(world, subject);
        await loud.logged(/^<7>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \[DBUG\] - \[[^\]]+\] /m, 3_000);
      },
    ],
    [`TR-054/${daemon}`]: [
      'log lines carry priority, time and level',
      'spec',
      async (context) => {
        const world = await configured(context, subject);
        const running = await world.start(daemon);
        await serves(world, subject);
        await running.logged(/^<6>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \[INFO\] - <-- GET \/nosuch/m, 3_000);
        await running.logged(/^<6>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \[INFO\] - --> 404/m, 3_000);
      },
    ],
    [`TR-055/${daemon}`]: [
      'SIGTERM ends the process with exit 0',
      'spec',
      async (context) => {
        const world = await configured(context, subject);
        const running = await world.start(daemon);
        running.kill('SIGTERM');
        const ended = await running.exit(5_000);
        assert.deepEqual({ code: ended.code, signal: ended.signal }, { code: 0, signal: null }, ended.log);
      },
    ],
    [`UNREADABLE/${daemon}`]: [
      'a drop-in that is not UTF-8 ends the start and is named',
      'spec',
      async (context) => {
        const world = await configured(context, subject);
        const path = await world.file(`${daemon}/config.d/bad.toml`, Buffer.from([0x78, 0x3d, 0x22, 0xff, 0x22]));
        await chmod(path, 0o644);
        const ended = await world.startExpectingExit(daemon);
        assert.equal(ended.code, 1);
        assert.match(ended.log, /bad\.toml/);
      },
    ],
  });
});

/** Kept for readers of the list: what a start without any configuration does differs by daemon. */
export const emptyConfiguration: Group = group('start without configuration', {
  'TR-044/keyd': [
    'keyd starts with all defaults',
    'spec',
    async (context) => {
      const world = await context.fresh();
      await world.configure('keyd', {});
      await world.start('keyd');
      expectStatusOfAbsentKey(
        await exchange(world.socket('keyd'), 0, { method: 'GET', target: '/key/x?api-version=2021-05-01' }),
      );
    },
  ],
  'TR-044/certd': [
    'certd needs homedir_path',
    'spec',
    async (context) => {
      const world = await context.fresh();
      await world.configure('certd', {});
      const ended = await world.startExpectingExit('certd');
      assert.equal(ended.code, 1);
      assert.match(ended.log, /homedir_path/);
    },
  ],
});

function expectStatusOfAbsentKey(result: Parameters<typeof expectStatus>[0]): void {
  expectError(result, [400, 500]);
}
