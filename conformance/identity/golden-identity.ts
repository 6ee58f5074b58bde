import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { attachCloud, startIdentityd } from '../cloud/index.ts';
import {
  type DaemonConfig,
  exchange,
  expectError,
  type RecordedExchange,
  type Replay,
  type Scenario,
  type World,
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

/** The sections that are replayed against one device with a shared key in its hub. */
const WITH_HUB = new Set(['protocol', 'authorisation', 'modules', 'module-ids', 'local']);
const DEVICE_KEY = Buffer.alloc(32, 4);
const MASTER_KEY = Buffer.alloc(32, 1);
const KEYD = `[aziot_keys]
homedir_path = "@ROOT@/keyd/home"
[preloaded_keys]
device-id = "file://@ROOT@/pre/device-id"
aziot_identityd_master_id = "file://@ROOT@/pre/master"
local-ca = "file://@ROOT@/pre/local-ca.key"
`;
const LOCAL_IDS = ['l1', 'ml', 'other-local'];
const CERTD = `homedir_path = "@ROOT@/certd/home"
[preloaded_certs]
local-ca = "file://@ROOT@/pre/local-ca.pem"
[cert_issuance.local_ca]
cert = "local-ca"
pk = "local-ca"
${LOCAL_IDS.map((id) => `[cert_issuance.${id}]\nmethod = "local_ca"\nexpiry_days = 3\n`).join('')}`;

/** The device of the recording: its key, its CA, and a module that somebody else has made in the hub. */
async function device(world: World): Promise<void> {
  await world.file('pre/device-id', DEVICE_KEY, 0o600);
  await world.file('pre/master', MASTER_KEY, 0o600);
  const ca = ['-keyout', world.path('pre', 'local-ca.key'), '-out', world.path('pre', 'local-ca.pem')];
  const wish = ['-newkey', 'rsa:2048', '-nodes', '-days', '365', '-subj', '/CN=local-ca'];
  await promisify(execFile)('openssl', ['req', '-x509', ...wish, ...ca]);
  const { cloud } = await attachCloud(world);
  const key = DEVICE_KEY.toString('base64');
  await cloud.putDevice('Dev-01', { authentication: { type: 'sas', primaryKey: key, secondaryKey: key } });
  await cloud.putModule('Dev-01', 'foreign');
}

/** A start with the configuration of a device that reaches its hub. */
async function startWithHub({ world }: Replay, { facts }: RecordedExchange): Promise<void> {
  await world.configure('identityd', parts(facts['config']));
  await startIdentityd(world);
}

/** The recorded starts of identityd that need no cloud, and the exchanges with a device in its hub. */
export const goldenIdentity: Scenario = {
  file: 'identity',
  async build(world) {
    await device(world);
    await world.configure('keyd', { main: KEYD });
    await world.configure('certd', { main: CERTD });
    await world.start('keyd');
    await world.start('certd');
  },
  // markers in the recording; the simulated hub counts from its clock
  volatile: ['genId', 'keyHandle', 'privateKey', 'certificate', 'expiration'],
  skip({ id, section, facts, request }) {
    if (id === 'manual-sas/start' || section === 'config-errors') return undefined;
    if (WITH_HUB.has(section) && request) return undefined;
    if (facts['start'] !== undefined)
      return 'a start with a state of the cloud that is judged by requirements (IS, CL), not replayed';
    return 'rests on a scripted state of the cloud; judged by requirements (IS, CL), not replayed';
  },
  before: {
    'manual-sas/local-certd-down': ({ world }) => world.stop('certd'),
    'config-errors/homedir-under-a-file': async ({ world }) => void (await world.file('file', 'in the way')),
  },
  verify: {
    'manual-sas/local-certd-down': async (_answer, { world }) => void (await world.start('certd')),
  },
  factStep: ({ section, facts }) =>
    section === 'config-errors' && facts['config'] !== undefined ? startWith : undefined,
  steps: {
    'manual-sas/start': startWithHub,
    // transport.md 5, stricter: a limit of no connections at all is a configuration error
    'config-errors/max-requests-0': async ({ world }, { facts }) => {
      await world.stop('identityd');
      await world.configure('identityd', parts(facts['config']));
      const ended = await world.startExpectingExit('identityd');
      assert.equal(ended.code, 1, ended.log);
    },
  },
};
