import { mkdtemp, readdir, readlink, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { groupsOf, loadArea } from '../suite/index.ts';
import { Context } from './context.ts';
import { exchange } from './exchange.ts';
import { type Launch, launchFromEnv } from './launch.ts';
import { judge } from './run.ts';
import { World } from './world.ts';

const testing = (name: string) => fileURLToPath(new URL(`testing/${name}`, import.meta.url));
const isRoot = process.geteuid?.() === 0;
const MAIN = '[aziot_keys]\nhomedir_path = "@ROOT@/keyd/home"\n';
const GET = { method: 'GET', target: '/key/none?api-version=2021-05-01' };

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

async function worldOf(launch: Launch): Promise<World> {
  const world = await World.create(launch);
  ends.push(() => world.dispose());
  await world.configure('keyd', { main: MAIN });
  return world;
}

/** The verdicts on some transport cases under a launch. */
async function verdicts(launch: Launch, ids: readonly string[]): Promise<string[]> {
  const context = new Context(launch);
  ends.push(() => context.dispose());
  const found: string[] = [];
  for (const group of await groupsOf(await loadArea('transport')))
    for (const requirement of group.requirements) {
      if (!ids.includes(requirement.id)) continue;
      const { id, result, need } = await judge(context, group.name, requirement);
      found.push(`${id} ${result}${need ? ` (${need})` : ''}`);
    }
  return found.toSorted();
}

const COMMAND: Launch = { driver: 'command', program: testing('adapter.sh') };

test('command: the adapter starts, stops and kills, and the log comes through it', async () => {
  const world = await worldOf(COMMAND);
  const running = await world.start('keyd');
  expect(await exchange(world.socket('keyd'), process.geteuid?.() ?? 0, GET)).toMatchObject({ status: 400 });
  await running.logged(/\[INFO\]/, 5_000);
  expect(await running.stop()).toMatchObject({ code: 0 });
  expect([running.hasEnded, running.hasEndedByItself]).toEqual([true, false]);
  const again = await world.start('keyd');
  again.kill('SIGKILL');
  expect(await again.exit(5_000)).toMatchObject({ signal: 'SIGKILL' });
});

test.skipIf(!isRoot)('command: the daemon runs as another uid (needs root)', async () => {
  const world = await worldOf(COMMAND);
  const { chown } = await import('node:fs/promises');
  for (const folder of ['run', 'keyd/home', '.']) await chown(world.path(folder), 4001, 4001);
  const { pid } = await world.start('keyd', { uid: 4001 });
  expect((await stat(`/proc/${pid}`)).uid).toBe(4001);
});

test('command: cases pass through the adapter, a socket that is handed over too', async () => {
  const ids = ['TR-001/keyd', 'TR-032/keyd', 'TR-037/keyd'];
  expect(await verdicts(COMMAND, ids)).toEqual(ids.map((id) => `${id} passed`));
});

test.skipIf(!isRoot)('aziotd-rust: a release build in a mount namespace of its own (needs root)', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'release-'));
  ends.push(() => rm(folder, { recursive: true }));
  for (const name of ['keyd', 'certd', 'identityd'])
    await symlink(testing('stand-in-aziotd'), join(folder, `aziot-${name}`));
  const launch: Launch = { driver: 'aziotd-rust', program: folder };
  const ofTheMachine = () => readdir('/run/aziot').catch(() => []);
  const before = await ofTheMachine();
  const [one, other] = await Promise.all([worldOf(launch), worldOf(launch)]);
  const [first, second] = await Promise.all([one.start('keyd'), other.start('keyd')]);
  const own = await readlink('/proc/self/ns/mnt');
  const spaces = [first.pid, second.pid].map((pid) => readlink(`/proc/${pid}/ns/mnt`));
  expect(new Set([own, ...(await Promise.all(spaces))]).size).toBe(3);
  for (const world of [one, other]) expect(await exchange(world.socket('keyd'), 0, GET)).toMatchObject({ status: 400 });
  expect(await ofTheMachine()).toEqual(before);
});

test('external: what needs control is not run, the rest is judged on the sockets given', async () => {
  const world = await worldOf({ program: launchFromEnv({}).program });
  await world.start('keyd');
  const running = { keyd: world.socket('keyd') };
  const ids = ['TR-001/keyd', 'TR-004/keyd', 'TR-032/keyd', 'TR-001/certd'];
  const launch: Launch = { driver: 'external', program: '', running, mayChange: true };
  expect(await verdicts(launch, ids)).toEqual([
    'TR-001/certd skipped (control)',
    'TR-001/keyd passed',
    'TR-004/keyd passed',
    'TR-032/keyd skipped (control)',
  ]);
  expect(await verdicts({ ...launch, mayChange: false }, ['TR-006/keyd'])).toEqual(['TR-006/keyd skipped (control)']);
});

test('a driver without what it needs is told so', () => {
  expect(() => launchFromEnv({ AZIOT_CONFORMANCE_DRIVER: 'command' })).toThrow(/--command/);
  expect(() => launchFromEnv({ AZIOT_CONFORMANCE_DRIVER: 'aziotd-rust' })).toThrow(/--rust-dir/);
  expect(() => launchFromEnv({ AZIOT_CONFORMANCE_DRIVER: 'azure' })).toThrow(/AZURE_DPS_SCOPE_ID, or AZURE_HUB_HOST/);
});
