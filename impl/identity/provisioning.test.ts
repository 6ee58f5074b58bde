import { afterEach, describe, expect, it } from 'vitest';
import { ClientError } from '../ipc/index.ts';
import type { IdType, Principal, Settings } from './settings.ts';
import { createWorld, DPS, type World } from './testing/world.ts';

const worlds: World[] = [];
afterEach(() => Promise.all(worlds.splice(0).map((world) => world.close())));

async function makeWorld(over: Partial<Settings> = {}): Promise<World> {
  const world = await createWorld(over);
  worlds.push(world);
  return world;
}

const principal = (uid: number, name: string, idTypes?: IdType[]): Principal => ({
  uid,
  name,
  idTypes,
  localPurpose: undefined,
});
const modules = (...names: string[]): Principal[] =>
  names.map((name, index) => principal(4001 + index, name, ['module']));
const READY = 'Starting server...';
const DEVICE = ['POST', '/identities/device', { type: 'aziot' }] as const;
const REPROVISION = ['POST', '/identities/device/reprovision'] as const;
const LIST = '/devices/Dev-01/modules';
const isDps = (line: string) => line.includes('/registrations/');
const soon = () => AbortSignal.timeout(150);

describe('start of a DPS device', () => {
  it('IS-046: writes exactly the three keys, and the settings', async () => {
    const world = await makeWorld({ provisioning: DPS, principals: modules('m1') });
    await (await world.start()).logs(READY);
    expect(await world.read('device_info')).toBe(
      'hub_name = "hub1.iot.test"\nlocal_gateway_hostname = "hub1.iot.test"\ndevice_id = "Dev-01"\n',
    );
    expect(await world.read('prev_state')).toContain('name = "m1"\nidtype = ["module"]');
  });

  it('IS-047, IS-048: with a backup DPS is not asked, and a dead hub does not matter', async () => {
    const world = await makeWorld({ provisioning: DPS, principals: modules('m1') });
    const first = await world.start();
    await first.logs(READY);
    await first.stop();
    world.cloud.lines.length = 0;
    world.cloud.script = () => ({ fails: 'not-connected' });
    const second = await world.start();
    expect((await second.call(0, ...DEVICE)).status).toBe(200);
    await second.logs('Network not available for Identity reconciliation. Using offline backup from last run.');
    expect(world.cloud.lines.filter(isDps)).toEqual([]);
  });

  it('IS-049: with DPS away it stays up, holds E2, answers E3 and E10, refuses the others, and gets there', async () => {
    const world = await makeWorld({ provisioning: DPS, principals: modules('m1') });
    world.cloud.script = () => ({ fails: 'not-connected' });
    const daemon = await world.start();
    await daemon.logs('Failed to provision with IoT Hub', 2);
    const held = daemon.call(0, ...DEVICE);
    expect((await daemon.call(0, 'GET', '/identities/provisioning')).body).toMatchObject({
      source: 'dps',
      payload: null,
    });
    expect((await daemon.call(0, 'GET', '/trust-bundle')).body).toEqual({ certificate: '' });
    expect(await daemon.call(4001, 'GET', '/identities/identity')).toEqual({
      status: 400,
      body: { message: 'device identity not found' },
    });
    expect((await daemon.call(0, 'GET', '/identities/modules?type=aziot')).status).toBe(400);
    await expect(daemon.callUntil(soon(), 0, ...DEVICE)).rejects.toThrow();
    world.cloud.script = undefined;
    expect((await held).body.spec).toMatchObject({
      deviceId: 'Dev-01',
      hubName: 'hub1.iot.test',
      auth: { type: 'sas' },
    });
  });

  it('IS-049: holds E1 and the module calls while the first attempt runs', async () => {
    const world = await makeWorld({ provisioning: DPS, principals: modules('m1') });
    const daemon = await world.start();
    const [own, list] = await Promise.all([
      daemon.call(4001, 'GET', '/identities/identity'),
      daemon.call(0, 'GET', '/identities/modules?type=aziot'),
    ]);
    expect(own.body.spec.moduleId).toBe('m1');
    expect(list.body.identities).toHaveLength(1);
  });

  it('IS-051, IS-052: garbage and "unprovisioned" as backup mean to ask DPS', async () => {
    for (const text of ['garbage', 'unprovisioned']) {
      const world = await makeWorld({ provisioning: DPS });
      await world.write('device_info', text);
      await (await world.start()).logs(READY);
      expect(world.cloud.lines.filter(isDps)).toHaveLength(2);
      expect(world.logged.join('\n').includes('Ignoring invalid device info backup')).toBe(text === 'garbage');
    }
  });

  it('a backup counts without a digest file, and not when the enrolment has changed', async () => {
    const world = await makeWorld({ provisioning: DPS });
    await world.write(
      'device_info',
      'hub_name = "hub1.iot.test"\nlocal_gateway_hostname = "hub1.iot.test"\ndevice_id = "Dev-01"\n',
    );
    const first = await world.start();
    await first.logs(READY);
    await first.stop();
    expect(world.cloud.lines.filter(isDps)).toEqual([]);
    if (DPS.source !== 'dps') throw new Error('fixture');
    world.settings = { ...world.settings, provisioning: { ...DPS, scopeId: '0neOther' } };
    await (await world.start()).logs(READY);
    expect(world.cloud.lines.filter(isDps)).toEqual([
      'PUT /0neOther/registrations/Reg-01/register',
      'GET /0neOther/registrations/Reg-01/operations/op',
    ]);
  });

  it('IS-053: a hub that says 401 makes one registration; a second 401 keeps the device and is tried again', async () => {
    const world = await makeWorld({ provisioning: DPS });
    const first = await world.start();
    await first.logs(READY);
    await first.stop();
    world.cloud.lines.length = 0;
    world.cloud.script = (line) => (line.endsWith(LIST) ? { status: 401, body: { Message: 'x' } } : undefined);
    const daemon = await world.start();
    await daemon.logs('it is tried again: x', 1);
    expect(world.cloud.lines.slice(0, 4).filter(isDps)).toHaveLength(2);
    expect((await daemon.call(0, ...DEVICE)).status).toBe(200);
    world.cloud.script = undefined;
    await daemon.logs('Identity reconciliation complete.');
  });

  it('IS-093: a TPM device says only that, and stays known while its TPM is away', async () => {
    if (DPS.source !== 'dps') throw new Error('fixture');
    const world = await makeWorld({
      provisioning: { ...DPS, attestation: { method: 'tpm', registrationId: 'Reg-01' } },
    });
    await world.write(
      'device_info',
      'hub_name = "hub1.iot.test"\nlocal_gateway_hostname = "hub1.iot.test"\ndevice_id = "Dev-01"\n',
    );
    const daemon = await world.start();
    expect((await daemon.call(0, ...DEVICE)).body.spec.auth).toEqual({ type: 'tpm' });
    await daemon.logs('could not sign with the device key: tpmd is away');
    expect((await daemon.call(0, ...DEVICE)).status).toBe(200);
  });

  it('IS-060: a payload file that is missing is tried again, and named by E3', async () => {
    if (DPS.source !== 'dps') throw new Error('fixture');
    const world = await makeWorld();
    world.settings = {
      ...world.settings,
      provisioning: { ...DPS, payloadUri: `file://${world.homedir}/payload.json` },
    };
    const daemon = await world.start();
    await daemon.logs('Failed to provision with IoT Hub');
    expect(await daemon.call(0, 'GET', '/identities/provisioning')).toEqual({
      status: 400,
      body: {
        message:
          'parameter "provisioning.payload" has an invalid value\ncaused by: No such file or directory (os error 2)',
      },
    });
    await world.write('payload.json', '{"z":1,"big":12345678901234567890,"a":{"n":[1,2.5,null]}}');
    expect((await daemon.call(0, ...DEVICE)).status).toBe(200);
    const put = world.cloud.bodies[world.cloud.lines.findIndex((line) => line.startsWith('PUT') && isDps(line))];
    expect(put).toBe('{"registrationId":"Reg-01","payload":{"a":{"n":[1,2.5,null]},"big":12345678901234567890,"z":1}}');
  });
});

describe('start of a manual device', () => {
  it('IS-050: starts with the hub away and an empty home', async () => {
    const world = await makeWorld({ principals: modules('m1') });
    world.cloud.script = () => ({ fails: 'not-connected' });
    const daemon = await world.start();
    expect((await daemon.call(0, ...DEVICE)).body.spec.auth).toEqual({ type: 'sas', keyHandle: 'key|device-id' });
    await daemon.logs(READY);
    world.cloud.script = undefined;
    await daemon.logs('Hub identity "m1" added');
  });

  it('IS-034: source "none" refuses E2 at once and names itself', async () => {
    const world = await makeWorld({ provisioning: { source: 'none', gateway: undefined } });
    const daemon = await world.start();
    expect((await daemon.call(0, ...DEVICE)).body).toEqual({ message: 'device identity not found' });
    expect((await daemon.call(0, 'GET', '/identities/provisioning')).body).toEqual({ source: 'none' });
    expect((await daemon.call(0, ...REPROVISION)).status).toBe(204);
    expect(await world.read('device_info')).toBeUndefined();
  });

  it('a key service that is away makes E2 wait, never fail', async () => {
    const world = await makeWorld();
    const daemon = await world.start();
    await daemon.logs(READY);
    world.keyd.outage = new ClientError('unreachable', 'could not reach keyd');
    await expect(daemon.callUntil(soon(), 0, ...DEVICE)).rejects.toThrow();
    const held = daemon.call(0, ...DEVICE);
    expect((await daemon.call(0, 'GET', '/identities/identity')).body.message).toBe(
      'Key client error\ncaused by: could not reach keyd',
    );
    world.keyd.outage = undefined;
    expect((await held).status).toBe(200);
  });

  it('an untrusted hub is reported as an error, not as offline', async () => {
    const world = await makeWorld();
    world.cloud.script = () => ({ fails: 'untrusted-server' });
    const daemon = await world.start();
    await daemon.logs('Failed to bring the modules in line');
    expect(world.logged.join('\n')).not.toContain('Network not available');
    expect((await daemon.call(0, ...DEVICE)).status).toBe(200);
  });

  it('a hub that is unwell is no reason to register anew', async () => {
    const world = await makeWorld({ provisioning: DPS });
    const first = await world.start();
    await first.logs(READY);
    await first.stop();
    world.cloud.lines.length = 0;
    world.cloud.script = (line) => (line.endsWith(LIST) ? { status: 503, body: { Message: 'busy' } } : undefined);
    await (await world.start()).logs('Network not available');
    expect(world.cloud.lines.filter(isDps)).toEqual([]);
  });
});

describe('reprovisioning', () => {
  it('IS-054: asks DPS once, rewrites the state and keeps the modules of an unchanged device', async () => {
    const world = await makeWorld({ provisioning: DPS, principals: modules('m1') });
    const daemon = await world.start();
    await daemon.logs(READY);
    const generation = world.cloud.modules.get('m1')?.generationId;
    world.cloud.lines.length = 0;
    expect(await daemon.call(0, ...REPROVISION)).toEqual({ status: 204, body: undefined });
    expect(world.cloud.lines.filter(isDps)).toHaveLength(2);
    expect(world.cloud.modules.get('m1')?.generationId).toBe(generation);
  });

  it('IS-055: a refusal by DPS is a 404, and the old identity and files stay', async () => {
    const world = await makeWorld({ provisioning: DPS });
    const daemon = await world.start();
    await daemon.logs(READY);
    const before = await world.read('device_info');
    world.cloud.script = (line) => (isDps(line) ? { status: 404, body: { message: 'Scope not found' } } : undefined);
    expect(await daemon.call(0, ...REPROVISION)).toEqual({
      status: 404,
      body: { message: 'DPS client error\ncaused by: Scope not found' },
    });
    expect((await daemon.call(0, ...DEVICE)).status).toBe(200);
    expect(await world.read('device_info')).toBe(before);
  });

  it('a new device replaces the old one, its modules are made there', async () => {
    const world = await makeWorld({ provisioning: DPS, principals: modules('m1') });
    const daemon = await world.start();
    await daemon.logs(READY);
    world.cloud.assignment.deviceId = 'Dev-02';
    world.cloud.modules.clear();
    expect((await daemon.call(0, ...REPROVISION)).status).toBe(204);
    expect((await daemon.call(0, ...DEVICE)).body.spec.deviceId).toBe('Dev-02');
    expect(world.cloud.modules.get('m1')?.deviceId).toBe('Dev-02');
    expect(await world.read('device_info')).toContain('device_id = "Dev-02"');
  });

  it('a manual device that the hub does not know or cannot be asked about does not replace the one that works', async () => {
    for (const answer of [{ status: 401, body: { Message: 'who' } }, { fails: 'not-connected' }] as const) {
      const world = await makeWorld({ principals: modules('m1') });
      const daemon = await world.start();
      await daemon.logs(READY);
      const before = await Promise.all(['device_info', 'prev_state'].map((name) => world.read(name)));
      if (world.settings.provisioning.source !== 'manual') throw new Error('fixture');
      const { provisioning } = world.settings;
      world.settings = { ...world.settings, provisioning: { ...provisioning, deviceId: 'Dev-99' } };
      world.cloud.script = (line) => (line.includes('/Dev-99/') ? answer : undefined);
      expect((await daemon.call(0, ...REPROVISION)).status).toBe(404);
      expect((await daemon.call(0, ...DEVICE)).body.spec.deviceId).toBe('Dev-01');
      expect(await Promise.all(['device_info', 'prev_state'].map((name) => world.read(name)))).toEqual(before);
      world.cloud.script = () => ({ fails: 'not-connected' });
      expect((await daemon.call(4001, 'GET', '/identities/identity')).body.spec.moduleId).toBe('m1');
      world.settings = { ...world.settings, provisioning };
    }
  });

  it('IS-058: a failing hub answers the caller, the device, its files and its cache stay', async () => {
    const world = await makeWorld({ principals: modules('m1') });
    const daemon = await world.start();
    await daemon.logs(READY);
    const before = await world.read('device_info');
    world.cloud.script = () => ({ fails: 'not-connected' });
    expect((await daemon.call(0, ...REPROVISION)).body.message).toBe(
      'Hub client error\ncaused by: exchange not-connected',
    );
    expect((await daemon.call(0, ...DEVICE)).status).toBe(200);
    expect(await world.read('device_info')).toBe(before);
    expect((await daemon.call(4001, 'GET', '/identities/identity')).status).toBe(200);
  });

  it('joins the running attempt while there is no device', async () => {
    const world = await makeWorld({ provisioning: DPS });
    const daemon = await world.start();
    const answers = await Promise.all([daemon.call(0, ...REPROVISION), daemon.call(0, ...REPROVISION)]);
    expect(answers.map(({ status }) => status)).toEqual([204, 204]);
    expect(world.cloud.lines.filter((line) => line.endsWith('/register'))).toHaveLength(1);
  });

  it('ends a pause at once', async () => {
    const world = await makeWorld({ provisioning: DPS });
    world.cloud.script = () => ({ fails: 'not-connected' });
    const daemon = await world.start();
    await daemon.logs('Failed to provision with IoT Hub');
    world.cloud.script = undefined;
    expect((await daemon.call(0, ...REPROVISION)).status).toBe(204);
  });
});

describe('reconciliation', () => {
  async function afterFirst(names: string[]): Promise<World> {
    const world = await makeWorld({ principals: modules(...names) });
    const daemon = await world.start();
    await daemon.logs(READY);
    await daemon.stop();
    world.cloud.lines.length = 0;
    return world;
  }

  it('IS-062: removes what was managed, keeps what is, leaves the rest, makes the new', async () => {
    const world = await afterFirst(['kept', 'old']);
    const kept = world.cloud.modules.get('kept')?.generationId;
    const foreign = world.cloud.add('foreign').generationId;
    world.settings = { ...world.settings, principals: modules('kept', 'new') };
    await (await world.start()).logs(READY);
    expect([...world.cloud.modules.keys()].sort()).toEqual(['foreign', 'kept', 'new']);
    expect(world.cloud.modules.get('kept')?.generationId).toBe(kept);
    expect(world.cloud.modules.get('foreign')?.generationId).toBe(foreign);
  });

  it('IS-063, IS-064: without the state of this device modules are made anew', async () => {
    for (const text of [undefined, 'hub_name = "other"\nlocal_gateway_hostname = "other"\ndevice_id = "Dev-01"\n']) {
      const world = await makeWorld({ principals: modules('m') });
      const before = world.cloud.add('m').generationId;
      if (text) await world.write('device_info', text);
      await (await world.start()).logs(READY);
      expect(world.cloud.modules.get('m')?.generationId).not.toBe(before);
    }
  });

  it('IS-065, IS-067: creation is two PUTs, the second with the derived keys', async () => {
    const world = await makeWorld({ principals: modules('testmodule') });
    await (await world.start()).logs(READY);
    expect(world.cloud.lines.slice(1)).toEqual([`PUT ${LIST}/testmodule`, `PUT ${LIST}/testmodule`]);
    expect(world.cloud.bodies[1]).toBe('{"moduleId":"testmodule","deviceId":"Dev-01"}');
    expect(world.cloud.bodies[2]).toContain('"type":"sas"');
  });

  it('IS-066: a failure in the middle leaves the state files, and the next run goes on from there', async () => {
    const world = await afterFirst(['kept']);
    const before = await Promise.all(['device_info', 'prev_state'].map((name) => world.read(name)));
    world.settings = { ...world.settings, principals: modules('kept', 'a1', 'b2') };
    world.cloud.script = (line) =>
      line.endsWith('/b2') ? { status: 400, body: { Message: 'b2 refused' } } : undefined;
    const failing = await world.start();
    await failing.logs('it is tried again: b2 refused');
    await failing.stop();
    expect(await Promise.all(['device_info', 'prev_state'].map((name) => world.read(name)))).toEqual(before);
    const made = world.cloud.modules.get('a1')?.generationId;
    world.cloud.script = undefined;
    await (await world.start()).logs(READY);
    expect(world.cloud.modules.get('a1')?.generationId).toBe(made);
    expect([...world.cloud.modules.keys()].sort()).toEqual(['a1', 'b2', 'kept']);
    expect(await world.read('reconciliation_progress')).toBeUndefined();
  });

  it('a name that the hub cannot take does not stop the others', async () => {
    const world = await makeWorld({ principals: modules('a b', 'good') });
    await (await world.start()).logs(READY);
    expect([...world.cloud.modules.keys()]).toEqual(['good']);
  });

  it('IS-042, IS-045: a reload makes the new module with the present device', async () => {
    const world = await makeWorld({ provisioning: DPS, principals: modules('m1') });
    const daemon = await world.start();
    await daemon.logs(READY);
    if (DPS.source !== 'dps') throw new Error('fixture');
    world.settings = {
      ...world.settings,
      provisioning: { ...DPS, scopeId: '0neOther' },
      principals: modules('m1', 'late'),
    };
    world.cloud.lines.length = 0;
    daemon.reconcileSoon();
    await daemon.logs('Hub identity "late" added');
    await daemon.logs('Identity reconciliation complete.', 2);
    expect(world.cloud.lines.filter(isDps)).toEqual([]);
    expect((await daemon.call(0, 'GET', '/identities/provisioning')).body.scope_id).toBe('0neOther');
    await daemon.stop();
    await (await world.start()).logs(READY);
    expect(world.cloud.lines.some((line) => line.startsWith('PUT /0neOther/'))).toBe(true);
  });
});
