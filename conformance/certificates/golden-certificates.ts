import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import {
  answered,
  exchange,
  expectError,
  expectStatus,
  type RecordedExchange,
  type Replay,
  type Scenario,
  WireConnection,
  type World,
} from '../runner/index.ts';
import { bodyWithheld, twelveConnections } from '../transport/index.ts';
import { makeCa } from './world.ts';

type Config = Readonly<Record<string, string>>;

/** Config files of a recorded set-up: `config.toml`, and the rest below `config.d`. */
function parts(config: unknown): { main: string; dropIns: Record<string, string> } {
  const { 'config.toml': main = '', ...dropIns } = config as Config;
  return { main, dropIns };
}

async function writePreloaded(world: World): Promise<void> {
  await makeCa(world, 'one', '/CN=root CA');
  await makeCa(world, 'other', '/CN=TEST other');
  const read = (name: string) => readFileSync(world.path('pre', `${name}.pem`), 'utf8');
  await world.file('pre/with space.pem', 'spaced');
  await world.file('pre/del.pem', read('other'));
  await world.file('pre/two.pem', read('other').trimEnd());
  await world.file('pre/der.cer', new X509Certificate(read('one')).raw);
}

const CONFIG_FILE = new URL('../../fixtures/golden/certificates.json', import.meta.url);

function firstConfig(): { main: string; dropIns: Record<string, string> } {
  const { exchanges } = JSON.parse(readFileSync(CONFIG_FILE, 'utf8')) as {
    exchanges: { id: string; config?: unknown }[];
  };
  return parts(exchanges.find(({ id }) => id === 'config')?.config ?? {});
}

async function build(world: World): Promise<void> {
  await writePreloaded(world);
  await world.configure('keyd', { main: '[aziot_keys]\nhomedir_path = "@ROOT@/keyd/home"\n' });
  await world.configure('certd', firstConfig());
  await world.start('keyd');
  await world.start('certd');
}

/** A start with a configuration: it runs, or ends with exit 1. certd alone is restarted; the next such step does it again. */
async function startWith({ world }: Replay, { facts }: RecordedExchange): Promise<void> {
  const result = facts['result'] as { exit?: number; started?: boolean };
  await world.stop('certd');
  await world.configure('certd', parts(facts['config']));
  if (result.exit === undefined) {
    await world.start('certd');
    expectError(await exchange(world.socket('certd'), 0, { method: 'GET', target: '/x' }), 400);
  } else {
    const ended = await world.startExpectingExit('certd');
    assert.equal(ended.code, 1, ended.log);
  }
}

const GET_LOADED = { method: 'GET', target: '/certificates/loaded?api-version=2020-09-01' };

/** Sections that need certificates whose private keys are in no recording. */
const WITHOUT_KEYS = /^(store-ca|store-local-ca|handle-|after-the-panics-post)/;

/** The recorded exchanges of certd that need neither issuance nor an EST server. */
export const goldenCertificates: Scenario = {
  file: 'certificates',
  build,
  words: (world) => ({
    '@CERT@': readFileSync(world.path('pre', 'one.pem'), 'utf8'),
    '@CERT2@': readFileSync(world.path('pre', 'other.pem'), 'utf8'),
    '@CERT3@': readFileSync(world.path('pre', 'other.pem'), 'utf8').trimEnd(),
  }),
  skip({ id, section, facts }) {
    if (section === 'issuance' || WITHOUT_KEYS.test(id))
      return 'needs a CA whose private key is in no recording; issuance is judged by CS-030 to CS-053';
    if (section === 'reload') return 'waits for the watch of the configuration; judged for keyd as KS-035';
    if (id === 'files' || id === 'main-absent-and-symlinked-dropin') return 'judged as CS-062, CS-063 and TR-048/certd';
    const result = facts['result'];
    if (typeof result === 'object' && result !== null && 'then' in result && id !== 'max-requests-zero')
      return 'goes on to an issuance with a key that is in no recording';
    return undefined;
  },
  factStep: ({ section, facts }) => (section === 'config' && facts['config'] ? startWith : undefined),
  before: {
    // the file that an earlier exchange made is gone again in the recording
    'bundle-one-missing': ({ world }) => rm(world.path('pre', 'not-there.pem')),
  },
  steps: {
    config: async () => {},
    'three-requests-one-connection': async ({ world }) => {
      const connection = await WireConnection.open(world.socket('certd'));
      try {
        for (let number = 0; number < 3; number += 1) expectStatus(await connection.ask(GET_LOADED), 200);
      } finally {
        connection.close();
      }
    },
    'put-three-megabytes': async ({ world }) => {
      const request = {
        method: 'PUT',
        target: '/certificates/big?api-version=2020-09-01',
        body: { pem: 'x'.repeat(3_000_000) },
      };
      assert.equal(answered(await exchange(world.socket('certd'), 0, request)).status, 413);
    },
    'slots-12-connections-one-uid': ({ world }) => twelveConnections(world.socket('certd'), 4001, GET_LOADED, 200),
    'body-withheld': ({ world }) =>
      bodyWithheld(world.socket('certd'), 0, 'PUT', '/certificates/x?api-version=2020-09-01'),
    'preloaded-der-20-times': async ({ world }) => {
      const request = { method: 'GET', target: '/certificates/der?api-version=2020-09-01' };
      for (let time = 0; time < 20; time += 1)
        expectError(await exchange(world.socket('certd'), 4001, request), 500, 'internal error');
      expectStatus(await exchange(world.socket('certd'), 4001, GET_LOADED), 200);
    },
    // spec/renewal.md 1, strict: a member that is left out takes its default
    'renew-half': (replay, exchange) =>
      startWith(replay, { ...exchange, facts: { ...exchange.facts, result: { started: true } } }),
    'max-requests-zero': async ({ world }, { facts }) => {
      await world.stop('certd');
      await world.configure('certd', parts(facts['config']));
      assert.equal((await world.startExpectingExit('certd')).code, 1);
    },
  },
};
