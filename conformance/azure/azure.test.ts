import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Simulated, startSimulated } from './simulated.ts';
import { runCommand } from './testing.ts';

// a simulated cloud that is presented as the live one: by the variables, its authority by option
let simulated: Simulated;
let folder: string;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'azure-driver-'));
  simulated = await startSimulated();
  const { dps, hub } = simulated.target;
  if (!dps?.symmetric || !dps.other || !hub?.device || !hub.other) throw new Error('the simulated cloud is incomplete');
  await writeFile(join(folder, 'ca.pem'), dps.rootPem ?? '');
  env = {
    ...process.env,
    AZURE_DPS_HOST: dps.hostName,
    AZURE_DPS_ADDRESS: dps.address,
    AZURE_DPS_SCOPE_ID: dps.scopeId,
    AZURE_DPS_SYMMETRIC_ID: dps.symmetric.registrationId,
    AZURE_DPS_SYMMETRIC_DEVICE_ID: dps.symmetric.deviceId,
    AZURE_DPS_SYMMETRIC_KEY: dps.symmetric.primaryKey,
    AZURE_DPS_OTHER_ID: dps.other.registrationId,
    AZURE_DPS_OTHER_KEY: dps.other.primaryKey,
    AZURE_HUB_HOST: hub.hostName,
    AZURE_HUB_ADDRESS: hub.address,
    AZURE_HUB_DEVICE_ID: hub.device.deviceId,
    AZURE_HUB_DEVICE_KEY: hub.device.primaryKey,
    AZURE_HUB_OTHER_ID: hub.other.deviceId,
    AZURE_HUB_OTHER_KEY: hub.other.primaryKey,
  };
});
afterAll(async () => {
  await simulated.stop();
  await rm(folder, { recursive: true });
});
beforeEach(() => simulated.cloud.clearJournal());

/** Runs the command with driver azure. */
function run(args: readonly string[], more: NodeJS.ProcessEnv = {}) {
  const guarded = ['--driver', 'azure', '--ca', join(folder, 'ca.pem'), '--min-spacing', '0', ...args];
  return runCommand(guarded, { ...env, ...more });
}

test('nothing but GET is sent unless changes are allowed, and what needs them is listed as not run', async () => {
  const { code, text } = await run(['--without', 'changes']);
  const seen = await simulated.cloud.journal();
  expect(new Set(seen.map(({ method }) => method))).toEqual(new Set(['GET']));
  expect(text).toContain(`${seen.length} requests were sent`);
  expect(text).toMatch(/DPS-001 +not run.*\n +read-only: PUT is not sent/);
  expect(text).toMatch(/DPS-020 +ok/);
  expect(text).toMatch(/HUB-040 +ok/);
  expect([code, text.slice(-200)]).toEqual([0, expect.stringMatching(/: conforms\n$/)]);
});

test('without a word on changes a run that could not judge everything does not conform', async () => {
  const { code, text } = await run(['--only', 'DPS-001,DPS-020']);
  expect(code).toBe(1);
  expect(text).toMatch(/not run although required: 1 cases \(DPS-001/);
});

test('with leave to change things, registrations and modules are judged too', async () => {
  const { code, text } = await run(['--allow-changes', '--only', 'DPS-00*,HUB-01*']);
  expect(text).toMatch(/DPS-001 +ok/);
  expect(text).toMatch(/HUB-010 +ok/);
  expect(code, text).toBe(0);
});

test('no more requests are sent than were allowed, counted where they arrive', async () => {
  const { code, text } = await run(['--without', 'changes', '--max-requests', '7']);
  expect(await simulated.cloud.journal()).toHaveLength(7);
  expect(text).toMatch(/7 requests were sent, as many as --max-requests 7 allows/);
  expect(code).toBe(1);
});

test('a server whose authority is not known is not spoken to', async () => {
  const { code } = await run(['--only', 'DPS-020', '--ca', '/dev/null']);
  expect(await simulated.cloud.journal()).toEqual([]);
  expect(code).toBe(1);
});

test('a variable that lacks its other half is named', async () => {
  const { code, text } = await run(['--only', 'DPS-020'], { AZURE_DPS_SYMMETRIC_KEY: '' });
  expect(text).toContain('AZURE_DPS_SYMMETRIC_ID');
  expect(code).toBe(1);
});
