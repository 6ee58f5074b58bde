import { createHmac, X509Certificate } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import {
  configureIdentityd,
  configureIssuedDevice,
  configureKeyd,
  createIdentityWorld,
  enrolSymmetric as enrol,
  type IdentityWorld,
  symmetricProvisioning as symmetric,
} from './identity-world.ts';

const worlds: IdentityWorld[] = [];
afterEach(() => Promise.all(worlds.splice(0).map((world) => world.close())));

async function makeWorld(): Promise<IdentityWorld> {
  const world = await createIdentityWorld();
  worlds.push(world);
  return world;
}

const READY = 'Starting server...';
const DEVICE = ['identityd', 'POST', '/identities/device', { type: 'aziot' }] as const;

async function provisioned(modules: readonly string[] = ['m1']): Promise<IdentityWorld> {
  const world = await makeWorld();
  enrol(world);
  await configureKeyd(world);
  await configureIdentityd(world, symmetric(world), modules);
  await world.start('keyd');
  await world.start('identityd');
  await world.logs('identityd', READY);
  return world;
}

describe('identityd with keyd, DPS and hub', () => {
  it('IS-046, IS-067, IS-069: the module in the hub has the derived keys, and the handle signs with them', async () => {
    const world = await provisioned();
    const { body } = await world.call('identityd', 'GET', '/identities/modules/m1?type=aziot');
    expect(body.spec).toMatchObject({ deviceId: 'Dev-A', moduleId: 'm1', hubName: world.hub.hostName });
    const { authentication } = world.hub.registry.getModule('Dev-A', 'm1')!;
    if (authentication.type !== 'sas') throw new Error('not a symmetric key');
    const message = Buffer.from('to be signed');
    const signed = await world.call('keyd', 'POST', '/sign', {
      keyHandle: body.spec.auth.keyHandle,
      algorithm: 'HMAC-SHA256',
      parameters: { message: message.toString('base64') },
    });
    const expected = createHmac('sha256', Buffer.from(authentication.primaryKey, 'base64'))
      .update(message)
      .digest('base64');
    expect(signed.body.signature).toBe(expected);
    expect(await world.read('identityd-home/device_info')).toContain('device_id = "Dev-A"');
  });

  it('IS-047: after a kill it has its identity again with DPS away, and makes nothing anew', async () => {
    const world = await provisioned();
    const generation = world.hub.registry.getModule('Dev-A', 'm1')?.generationId;
    await world.stop('identityd', 'SIGKILL');
    world.dps.faults.add({ fault: { kind: 'reset' } });
    await world.start('identityd');
    expect((await world.call(...DEVICE)).body.spec.deviceId).toBe('Dev-A');
    await world.logs('identityd', READY);
    expect(world.hub.registry.getModule('Dev-A', 'm1')?.generationId).toBe(generation);
  });

  it('IS-049: holds the device call while DPS is away, then answers it', async () => {
    const world = await makeWorld();
    enrol(world);
    await configureKeyd(world);
    await configureIdentityd(world, symmetric(world), ['m1']);
    world.dps.faults.add({ fault: { kind: 'reset' } });
    await world.start('keyd');
    await world.start('identityd');
    const held = world.call(...DEVICE);
    await world.logs('identityd', 'Failed to provision with IoT Hub');
    expect((await world.call('identityd', 'GET', '/identities/provisioning')).body.registration_id).toBe('Reg-01');
    expect((await world.call('identityd', 'GET', '/identities/modules?type=aziot')).status).toBe(400);
    world.dps.faults.clear();
    expect((await world.call('identityd', 'POST', '/identities/device/reprovision')).status).toBe(204);
    expect((await held).body.spec.deviceId).toBe('Dev-A');
  });

  it('holds the device call while keyd is away', async () => {
    const world = await provisioned([]);
    await world.stop('keyd');
    await expect(world.call(...DEVICE, AbortSignal.timeout(1000))).rejects.toThrow();
    const held = world.call(...DEVICE);
    await world.start('keyd');
    expect((await held).status).toBe(200);
  });

  it('CL-008: a hub that is not trusted gets no request, and the log says so', async () => {
    const world = await makeWorld();
    enrol(world);
    await configureKeyd(world);
    await configureIdentityd(world, symmetric(world), []);
    await world.start('keyd');
    await world.start('identityd', { SSL_CERT_FILE: '/nowhere' });
    await world.logs('identityd', 'is not trusted');
    expect(world.dps.journal.list()).toEqual([]);
  });

  it('CL-053: a proxy that is away stops the cloud, never the calls between the daemons', async () => {
    const world = await makeWorld();
    enrol(world);
    await configureKeyd(world);
    await configureIdentityd(world, symmetric(world), []);
    await world.start('keyd');
    await world.start('identityd', { HTTPS_PROXY: 'http://user:secret@127.0.0.1:1' });
    await world.logs('identityd', 'could not open a tunnel');
    expect(world.log('identityd')).toContain('Detected HTTPS proxy server http://user:******@127.0.0.1:1/');
    expect(world.log('identityd')).not.toContain('secret');
    expect((await world.call('identityd', 'GET', '/trust-bundle')).status).toBe(200);
  });

  it('IS-031: a faulty configuration ends it with 1 and names the module', async () => {
    const world = await makeWorld();
    await configureIdentityd(world, symmetric(world), ['dup', 'dup']);
    await expect(world.start('identityd')).rejects.toThrow('duplicate module name: dup');
  });
});

describe('an X.509 device whose key stays in keyd', () => {
  async function issued(more = ''): Promise<IdentityWorld> {
    const world = await makeWorld();
    await configureIssuedDevice(world, 'Dev-X', more);
    await world.start('keyd');
    await world.start('certd');
    await world.start('identityd');
    await world.logs('identityd', READY);
    return world;
  }

  it('IS-081, CL-006: gets its certificate issued and shows it to DPS and hub', async () => {
    const world = await issued();
    expect((await world.call(...DEVICE)).body.spec).toMatchObject({
      deviceId: 'Dev-X',
      auth: { type: 'x509', certId: 'idcert' },
    });
    expect(world.hub.registry.getModule('Dev-X', 'm1')?.authentication.type).toBe('sas');
    const { pem } = (await world.call('certd', 'GET', '/certificates/idcert')).body;
    expect(new X509Certificate(pem).subject).toBe('CN=Dev-X');
  });

  it('IS-059, IS-061: a device that changes from a symmetric key to a certificate becomes another one', async () => {
    const world = await provisioned();
    const info = { source: 'dps', auth: 'symmetric_key', endpoint: world.dps.url, scope_id: world.dps.scopeId };
    const told = (await world.call('identityd', 'GET', '/identities/provisioning')).body;
    expect(told).toEqual({ ...info, registration_id: 'Reg-01', payload: null });
    expect((await world.call(...DEVICE)).body.spec).toMatchObject({ deviceId: 'Dev-A', auth: { type: 'sas' } });
    await world.stop('identityd');
    await world.stop('keyd');
    await configureIssuedDevice(world, 'Dev-X');
    await world.start('keyd');
    await world.start('certd');
    await world.start('identityd');
    expect((await world.call(...DEVICE)).body.spec).toMatchObject({ deviceId: 'Dev-X', auth: { type: 'x509' } });
    expect((await world.call('identityd', 'GET', '/identities/provisioning')).body.auth).toBe('x509');
    expect((await world.call('identityd', 'POST', '/identities/device/reprovision')).status).toBe(204);
  });

  it('IS-082: certd away at the next start costs no key, and the device comes back with it', async () => {
    const world = await issued();
    const before = await world.call('keyd', 'GET', '/keypair/idkey');
    await world.stop('identityd');
    await world.stop('certd');
    await world.start('identityd');
    await world.logs('identityd', 'the device key is kept');
    const held = world.call(...DEVICE);
    expect((await world.call('keyd', 'GET', '/keypair/idkey')).status).toBe(before.status);
    await world.start('certd');
    expect((await held).body.spec.deviceId).toBe('Dev-X');
  });

  it('IS-090: renews a certificate that is due at once, with a new key', async () => {
    const world = await issued('identity_auto_renew = { rotate_key = true, threshold = "3650day", retry = "1min" }\n');
    const before = (await world.call('certd', 'GET', '/certificates/idcert')).body.pem;
    const generation = world.hub.registry.getModule('Dev-X', 'm1')?.generationId;
    await world.stop('identityd');
    await world.start('identityd');
    await world.logs('identityd', 'Certificate idcert was renewed.');
    await world.logs('identityd', READY);
    const after = (await world.call('certd', 'GET', '/certificates/idcert')).body.pem;
    expect(new X509Certificate(after).serialNumber).not.toBe(new X509Certificate(before).serialNumber);
    expect((await world.call('keyd', 'GET', '/keypair/idkey-temp')).status).toBe(400);
    expect((await world.call('identityd', 'POST', '/identities/device/reprovision')).status).toBe(204);
    expect(world.hub.registry.getModule('Dev-X', 'm1')?.generationId, 'no module was made anew').toBe(generation);
  });
});
