import assert from 'node:assert/strict';
import {
  type DaemonConfig,
  exchange,
  expectError,
  type RecordedExchange,
  type Replay,
  type Scenario,
} from '../runner/index.ts';

/** Parts a recorded configuration: the main file, then `##### drop-in NAME` and its text, once a drop-in. */
function parts(recorded: unknown): DaemonConfig {
  const [main = '', ...rest] = String(recorded).split(/^##### drop-in (\S+)(?: only)?$/m);
  const dropIns: Record<string, string> = {};
  for (let at = 0; at + 1 < rest.length; at += 2) dropIns[rest[at] ?? ''] = rest[at + 1] ?? '';
  return rest.length > 0 && main.trim() === '' ? { dropIns } : { main, dropIns };
}

/** A start with a configuration that is wrong, or looks so: it runs, or ends with exit 1. */
async function startWith({ world }: Replay, { facts }: RecordedExchange): Promise<void> {
  await world.stop('identityd');
  await world.configure('identityd', parts(facts['config']));
  if (facts['exitCode'] === null) {
    await world.start('identityd');
    expectError(await exchange(world.socket('identityd'), 0, { method: 'GET', target: '/x' }), 400);
  } else {
    const ended = await world.startExpectingExit('identityd');
    assert.equal(ended.code, 1, ended.log);
  }
}

/** The recorded starts of identityd that need no cloud. */
export const goldenIdentity: Scenario = {
  file: 'identity',
  async build(world) {
    await world.configure('keyd', { main: '[aziot_keys]\nhomedir_path = "@ROOT@/keyd/home"\n' });
    await world.configure('certd', { main: 'homedir_path = "@ROOT@/certd/home"\n' });
    await world.start('keyd');
    await world.start('certd');
  },
  skip({ section }) {
    if (section !== 'config-errors') return 'needs a cloud (DPS and hub), which this suite does not start';
    return undefined;
  },
  before: {
    'config-errors/homedir-under-a-file': async ({ world }) => void (await world.file('file', 'in the way')),
  },
  factStep: ({ section, facts }) =>
    section === 'config-errors' && facts['config'] !== undefined ? startWith : undefined,
  steps: {
    // transport.md 5, stricter: a limit of no connections at all is a configuration error
    'config-errors/max-requests-0': async ({ world }, { facts }) => {
      await world.stop('identityd');
      await world.configure('identityd', parts(facts['config']));
      const ended = await world.startExpectingExit('identityd');
      assert.equal(ended.code, 1, ended.log);
    },
  },
};
