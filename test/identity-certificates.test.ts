import { createPublicKey, X509Certificate } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import {
  configureCertd,
  configureIdentityd,
  configureIssuedDevice,
  configureKeyd,
  createIdentityWorld,
  type IdentityWorld,
  x509Provisioning,
} from './identity-world.ts';

const worlds: IdentityWorld[] = [];
afterEach(() => Promise.all(worlds.splice(0).map((world) => world.close())));

const IN_LINE = 'Identity reconciliation complete.';
const DEVICE = ['identityd', 'POST', '/identities/device', { type: 'aziot' }] as const;
const REPROVISION = ['identityd', 'POST', '/identities/device/reprovision'] as const;
const MODULE = ['identityd', 'GET', '/identities/modules/m1?type=aziot'] as const;

async function makeWorld(): Promise<IdentityWorld> {
  const world = await createIdentityWorld();
  worlds.push(world);
  return world;
}

async function startAll(world: IdentityWorld): Promise<void> {
  for (const name of ['keyd', 'certd', 'identityd'] as const) await world.start(name);
}

/** Replaces a file in one step, as an operator's tool does. */
async function replace(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

describe('the certificate of a device', () => {
  it('IS-092: replaced with its key by somebody else: used from then on, without a restart or a new registration', async () => {
    const world = await makeWorld();
    const ca = await world.pki.ca('device');
    world.dps.enrollments.addGroup({ groupId: 'group', attestation: { type: 'x509', caPem: [ca.certificatePem] } });
    const issue = () => world.pki.issueClientCertificate('CN=Dev-X', { caName: 'device' });
    const first = await issue();
    const key = await world.write('device.key.pem', first.keyPem);
    const certificate = await world.write('device.pem', first.certPem);
    await configureKeyd(world, { idkey: `file://${key}` });
    await configureCertd(world, [], `file://${world.folder}/root.pem`, { idcert: `file://${certificate}` });
    await configureIdentityd(world, x509Provisioning(world, 'Dev-X'), ['m1']);
    await startAll(world);
    await world.logs('identityd', IN_LINE);
    const { genId } = (await world.call(...MODULE)).body.spec;
    const registrations = world.dps.journal.list().length;

    const second = await issue();
    await replace(key, second.keyPem);
    await replace(certificate, second.certPem);
    const { body, headers } = await world.call(...MODULE);
    expect([body.spec?.genId, headers['age']]).toEqual([genId, undefined]);
    expect(world.log('identityd')).toContain('Certificate idcert has been replaced by somebody else');
    expect((await world.call(...DEVICE)).body.spec.deviceId).toBe('Dev-X');
    expect(world.dps.journal.list()).toHaveLength(registrations);
    expect((await world.call(...REPROVISION)).status).toBe(204);
    expect((await world.call(...MODULE)).body.spec.genId).toBe(genId);
  });

  it("IS-082: certd away at the first start: the operator's key file stays byte for byte, and serves when certd is there", async () => {
    const world = await makeWorld();
    const ca = await world.pki.ca('device');
    world.dps.enrollments.addGroup({ groupId: 'group', attestation: { type: 'x509', caPem: [ca.certificatePem] } });
    const { certPem, keyPem } = await world.pki.issueClientCertificate('CN=Dev-X', { caName: 'device' });
    const key = await world.write('device.key.pem', keyPem);
    const certificate = await world.write('device.pem', certPem);
    await configureKeyd(world, { idkey: `file://${key}` });
    await configureCertd(world, [], `file://${world.folder}/root.pem`, { idcert: `file://${certificate}` });
    await configureIdentityd(world, x509Provisioning(world, 'Dev-X'), ['m1']);
    await world.start('keyd');
    await world.start('identityd');
    const held = world.call(...DEVICE);
    await world.logs('identityd', 'the device key is kept');
    expect(await world.read('device.key.pem')).toBe(keyPem);
    await world.start('certd');
    expect((await held).body.spec.deviceId).toBe('Dev-X');
    expect([await world.read('device.key.pem'), await world.read('device.pem')]).toEqual([keyPem, certPem]);
  });

  it('IS-090, RN-050: reprovision calls that overlap a renewal are answered, and so is everybody else', async () => {
    const world = await makeWorld();
    await configureIssuedDevice(
      world,
      'Dev-X',
      'identity_auto_renew = { rotate_key = true, threshold = "3650day", retry = "1min" }\n',
    );
    await startAll(world);
    await world.logs('identityd', IN_LINE);
    await world.stop('identityd');
    world.dps.journal.clear();
    world.dps.faults.add({ fault: { kind: 'delay', milliseconds: 3000 }, where: '/register', times: 2 });
    await world.start('identityd');
    await world.dps.journal.wait(({ fault }) => fault === 'delay');
    const calls = [world.call(...REPROVISION), world.call(...REPROVISION)];
    let answered = 0;
    for (const call of calls) void call.then(() => answered++);
    expect((await world.call('identityd', 'GET', '/identities/provisioning')).body.registration_id).toBe('Dev-X');
    expect((await world.call(...DEVICE)).status).toBe(200);
    expect((await world.call(...MODULE)).status).toBe(200);
    expect(answered, 'all this while the renewal waits for DPS').toBe(0);
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([204, 204]);
    await world.logs('identityd', 'Certificate idcert was renewed.');
    expect((await world.call(...MODULE)).status).toBe(200);
    const { pem } = (await world.call('certd', 'GET', '/certificates/idcert')).body;
    const { keyHandle } = (await world.call('keyd', 'GET', '/keypair/idkey')).body;
    const modulus = await world.call('keyd', 'POST', '/parameters/rsa-modulus', { keyHandle });
    const { n = '' } = createPublicKey(
      new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'pem' }),
    ).export({ format: 'jwk' });
    const bare = (bytes: Buffer) => bytes.toString('hex').replace(/^(00)+/, '');
    expect(bare(Buffer.from(modulus.body.value, 'base64'))).toBe(bare(Buffer.from(n, 'base64url')));
  });

  it('IS-084: a registration id that would be cut inside a character gets a certificate, and nothing aborts', async () => {
    const world = await makeWorld();
    await configureIssuedDevice(world, `${'r'.repeat(63)}é`);
    await startAll(world);
    await world.logs('identityd', 'Failed to provision with IoT Hub');
    const { pem } = (await world.call('certd', 'GET', '/certificates/idcert')).body;
    expect(new X509Certificate(pem).subject).toBe(`CN=${'r'.repeat(63)}`);
    expect((await world.call('identityd', 'GET', '/trust-bundle')).status).toBe(200);
  });
});
