import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestPki, type TestPki } from '../simulators/common/index.ts';
import { createDpsSimulator, type DpsSimulator } from '../simulators/dps/index.ts';
import { createHubSimulator, type HubSimulator } from '../simulators/hub/index.ts';
import { Device, IDENTITYD_V, until } from './support/device.ts';

const REGISTRATION = 'dev-01';

let pki: TestPki;
let hub: HubSimulator;
let dps: DpsSimulator;
let device: Device;
const key = randomBytes(32);

async function startDevice(
  principals = '[[principal]]\nuid = 1000\nname = "agent"\nidtype = ["module"]',
): Promise<void> {
  const keyFile = device.file('device-id', key);
  device.env['SSL_CERT_FILE'] = device.file('root.pem', pki.root.certificatePem);
  device.configure(
    'keyd',
    `[aziot_keys]\nhomedir_path = "${device.path('keyd')}"\n[preloaded_keys]\ndevice-id = "file://${keyFile}"`,
  );
  device.configure('certd', `homedir_path = "${device.path('certd')}"`);
  device.configure(
    'identityd',
    `hostname = "dev"\nhomedir = "${device.path('identityd')}"\n${principals}
[provisioning]
source = "dps"
global_endpoint = "${dps.url}"
scope_id = "${dps.scopeId}"
[provisioning.attestation]
method = "symmetric_key"
registration_id = "${REGISTRATION}"
symmetric_key = "device-id"`,
  );
  await device.start('keyd');
  await device.start('certd');
  await device.start('identityd');
}

function enrol(primary = key): void {
  dps.enrollments.addIndividual({
    registrationId: REGISTRATION,
    attestation: {
      type: 'symmetricKey',
      primaryKey: primary.toString('base64'),
      secondaryKey: randomBytes(32).toString('base64'),
    },
  });
}

const identity = () => device.call('identityd', 'POST', `/identities/device?${IDENTITYD_V}`, { type: 'aziot' });
const modules = () => device.call('identityd', 'GET', `/identities/modules?type=aziot&${IDENTITYD_V}`);
const reprovision = () => device.call('identityd', 'POST', `/identities/device/reprovision?${IDENTITYD_V}`);

beforeEach(async () => {
  pki = await createTestPki();
  hub = await createHubSimulator({ pki });
  dps = await createDpsSimulator({ pki, hubs: [hub.link], assigningPolls: 0, retryAfterSeconds: 1 });
  device = new Device();
});
afterEach(async () => {
  await device.close();
  await dps.close();
  await hub.close();
});

async function provisionedAfterAll(): Promise<void> {
  expect((await reprovision()).status).toBe(204);
  expect((await identity()).body.spec).toMatchObject({ hubName: hub.hostName, deviceId: REGISTRATION });
  await until(
    () => hub.registry.listModules(REGISTRATION).some(({ moduleId }) => moduleId === 'agent'),
    10_000,
    () => 'no module in the hub',
  );
}

describe('DPS refuses or fails: the daemon stays up and says why', () => {
  it.each([
    ['401: the key of another device', () => enrol(randomBytes(32)), /401|nauthorized/],
    ['404: nothing is enrolled', () => undefined, /404|not found/i],
    [
      'a disabled enrolment',
      () => {
        enrol();
        dps.enrollments.setEnabled(REGISTRATION, false);
      },
      /disabled/i,
    ],
  ])('%s', async (_, arrange, cause) => {
    arrange();
    await startDevice();
    await device.logged('identityd', cause);
    expect(await modules(), 'nothing is known of the device').toEqual({
      status: 400,
      body: { message: 'device identity not found' },
    });
    expect(device.alive('identityd')).toBe(true);
    enrol();
    dps.enrollments.setEnabled(REGISTRATION, true);
    await provisionedAfterAll();
  });

  it('429 with Retry-After: no second request before it is due, the request for the device is held', async () => {
    enrol();
    dps.faults.add({
      fault: {
        kind: 'status',
        status: 429,
        body: '{"errorCode":429001,"message":"Throttled"}',
        headers: { 'retry-after': '120' },
      },
      times: 1,
    });
    await startDevice();
    await until(
      () => dps.journal.list().length === 1,
      10_000,
      () => 'DPS was not asked',
    );
    let answered = false;
    void identity().then(
      () => {
        answered = true;
      },
      () => undefined,
    );
    await new Promise((done) => setTimeout(done, 3000));
    expect(dps.journal.list()).toHaveLength(1);
    expect(answered).toBe(false);
    expect(device.log('identityd')).toMatch(/429|throttl/i);
    expect((await device.call('identityd', 'GET', `/identities/provisioning?${IDENTITYD_V}`)).status).toBe(200);
  });

  it('assigning without end: held, not refused, and other requests are answered', async () => {
    await dps.close();
    dps = await createDpsSimulator({ pki, hubs: [hub.link], assigningPolls: 100_000, retryAfterSeconds: 1 });
    enrol();
    await startDevice();
    await until(
      () => dps.journal.list().length >= 4,
      12_000,
      () => 'DPS was not polled again',
    );
    expect((await device.call('identityd', 'GET', `/identities/provisioning?${IDENTITYD_V}`)).status).toBe(200);
    expect(device.alive('identityd')).toBe(true);
  });
});

describe('the hub refuses or fails', () => {
  it('401 on the list at start: DPS is asked again, then the daemon goes on', async () => {
    enrol();
    hub.faults.add({
      fault: { kind: 'status', status: 401, body: '{"Message":"ErrorCode:IotHubUnauthorizedAccess;Unauthorized"}' },
      where: '/modules',
      times: 1,
    });
    await startDevice();
    expect((await identity()).status).toBe(200);
    await until(
      () => hub.registry.listModules(REGISTRATION).length === 1,
      15_000,
      () => `no module in the hub:\n${device.log('identityd')}`,
    );
    expect(dps.journal.list().filter(({ method }) => method === 'PUT').length).toBeGreaterThanOrEqual(1);
  });

  it('404 of a module purges nothing else and the daemon lives', async () => {
    enrol();
    await startDevice();
    await provisionedAfterAll();
    const missing = await device.call('identityd', 'GET', `/identities/modules/nosuch?type=aziot&${IDENTITYD_V}`);
    expect(missing.status).toBe(404);
    expect((await modules()).body.identities).toHaveLength(1);
  });

  it('the hub is away after provisioning: a restart comes up with the known device', async () => {
    enrol();
    await startDevice();
    await provisionedAfterAll();
    const generation = hub.registry.listModules(REGISTRATION)[0]?.generationId;
    await device.stop('identityd');
    const asked = dps.journal.list().length;
    hub.faults.add({ fault: { kind: 'reset' } });
    await device.start('identityd');
    expect((await identity()).body.spec.deviceId).toBe(REGISTRATION);
    hub.faults.clear();
    expect(dps.journal.list(), 'DPS is not asked again').toHaveLength(asked);
    expect(hub.registry.listModules(REGISTRATION)[0]?.generationId).toBe(generation);
  });

  it('IS-055 stricter: a reprovisioning that fails leaves the old identity in use', async () => {
    enrol();
    await startDevice();
    await provisionedAfterAll();
    const before = hub.registry.listModules(REGISTRATION)[0]?.generationId;
    dps.faults.add({ fault: { kind: 'status', status: 503 } });
    expect((await reprovision()).status).toBe(404);
    expect((await identity()).status).toBe(200);
    dps.faults.clear();
    expect((await reprovision()).status).toBe(204);
    expect(hub.registry.listModules(REGISTRATION)[0]?.generationId, 'the module was kept').toBe(before);
  });
});

describe('keyd stops in the middle', () => {
  it('the request for the device waits while it is away, nothing exits, and all works when it is back', async () => {
    enrol();
    await startDevice();
    await provisionedAfterAll();
    await device.stop('keyd', 'SIGKILL');
    let early = false;
    const waiting = identity().then((answer) => {
      early = true;
      return answer;
    });
    expect((await device.call('identityd', 'GET', `/identities/provisioning?${IDENTITYD_V}`)).status).toBe(200);
    await new Promise((done) => setTimeout(done, 2000));
    expect(early, 'an error here would make IoT Edge remove every module').toBe(false);
    expect([device.alive('identityd'), device.alive('certd')]).toEqual([true, true]);
    await device.start('keyd');
    expect((await waiting).status).toBe(200);
    expect(readFileSync(device.path('files/device-id'))).toEqual(key);
  });
});

describe('configuration of identityd', () => {
  it('a duplicate uid: the last wins, with a warning that names uid and both', async () => {
    enrol();
    await startDevice(
      '[[principal]]\nuid = 1000\nname = "first"\nidtype = ["module"]\n[[principal]]\nuid = 1000\nname = "second"\nidtype = ["module"]',
    );
    expect((await identity()).status).toBe(200);
    expect(device.log('identityd')).toMatch(/WARN[^\n]*1000[^\n]*first[^\n]*second/);
  });
});
