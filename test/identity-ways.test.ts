import { X509Certificate } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import {
  configureCertd,
  configureIdentityd,
  configureKeyd,
  createIdentityWorld,
  type IdentityWorld,
  manualProvisioning,
  registerManual,
  x509Provisioning,
} from './identity-world.ts';

const worlds: IdentityWorld[] = [];
afterEach(() => Promise.all(worlds.splice(0).map((world) => world.close())));

const IN_LINE = 'Identity reconciliation complete.';
const DEVICE = ['identityd', 'POST', '/identities/device', { type: 'aziot' }] as const;
const MODULE = ['identityd', 'GET', '/identities/modules/m1?type=aziot'] as const;

async function makeWorld(options?: Parameters<typeof createIdentityWorld>[0]): Promise<IdentityWorld> {
  const world = await createIdentityWorld(options);
  worlds.push(world);
  return world;
}

describe('nested edge', () => {
  it('IS-058, CL-035: the gateway is asked, with tokens for the hub; both names are told', async () => {
    const world = await makeWorld({ hub: { gateway: {}, hostName: 'hub1.iot.test' } });
    const gateway = world.hub.gateway?.hostName ?? '';
    registerManual(world);
    await configureKeyd(world);
    const provisioning = manualProvisioning('hub1.iot.test').replace(
      '[provisioning]\n',
      `[provisioning]\nlocal_gateway_hostname = "${gateway}"\n`,
    );
    await configureIdentityd(world, provisioning, ['m1']);
    await world.start('keyd');
    await world.start('identityd');
    await world.logs('identityd', IN_LINE);
    const names = { hubName: 'hub1.iot.test', gatewayHost: gateway };
    expect((await world.call(...DEVICE)).body.spec).toMatchObject(names);
    expect((await world.call(...MODULE)).body.spec).toMatchObject(names);
    const requests = world.hub.journal.list();
    expect(new Set(requests.map(({ service }) => service))).toEqual(new Set(['gateway']));
    for (const { headers } of requests) {
      expect(headers.find(([name]) => name === 'authorization')?.[1]).toContain('sr=hub1.iot.test/devices/dev-01&');
    }
    expect(await world.read('identityd-home/device_info')).toContain(`local_gateway_hostname = "${gateway}"`);
  });

  it('CL-038: a parent that reports its own outage means offline, not a new device', async () => {
    const world = await makeWorld();
    registerManual(world);
    await configureKeyd(world);
    await configureIdentityd(world, manualProvisioning(world.hub.hostName), ['m1']);
    await world.start('keyd');
    await world.start('identityd');
    await world.logs('identityd', IN_LINE);
    const body = '{"errorMessage":"no upstream","networkError":true}';
    world.hub.faults.add({
      fault: { kind: 'status', status: 404, headers: { 'content-type': 'application/json' }, body },
    });
    const { status, headers } = await world.call(...MODULE);
    expect([status, /^\d+$/.test(String(headers['age']))]).toEqual([200, true]);
  });
});

describe('an individual X.509 enrolment', () => {
  it('IS-081, IS-083: with a preloaded certificate that names the registration', async () => {
    const world = await makeWorld();
    const { certPem, keyPem } = await world.pki.issueClientCertificate('CN=Dev-Own', { caName: 'device' });
    const key = await world.write('device.key.pem', keyPem);
    const certificate = await world.write('device.pem', certPem);
    const [leaf = ''] = certPem.split(/(?<=-----END CERTIFICATE-----\n)/);
    world.dps.enrollments.addIndividual({ registrationId: 'Dev-Own', attestation: { type: 'x509', primaryPem: leaf } });
    await configureKeyd(world, { idkey: `file://${key}` });
    await configureCertd(world, [], `file://${world.folder}/root.pem`, { idcert: `file://${certificate}` });
    const provisioning = x509Provisioning(world, 'Dev-Own').replace(/registration_id = .*\n/, '');
    await configureIdentityd(world, provisioning, ['m1']);
    for (const name of ['keyd', 'certd', 'identityd'] as const) await world.start(name);
    await world.logs('identityd', IN_LINE);
    expect((await world.call(...DEVICE)).body.spec).toMatchObject({ deviceId: 'Dev-Own', auth: { certId: 'idcert' } });
    const info = await world.call('identityd', 'GET', '/identities/provisioning');
    expect(info.body).toMatchObject({ auth: 'x509', registration_id: 'Dev-Own' });
    // the leaf, then its issuer
    expect(world.dps.journal.list()[0]?.clientChain).toHaveLength(2);
  });
});

describe('local identities', () => {
  it('IS-017, IS-086, IS-088, IS-089: made by certd, also without any provisioning', async () => {
    const world = await makeWorld();
    const ca = await world.pki.ca('local');
    const key = await world.write('ca.key', ca.keyPem);
    const certificate = await world.write('ca.pem', ca.certificatePem);
    await configureKeyd(world, { 'local-ca': `file://${key}` });
    await configureCertd(world, ['l1', 'other'], `file://${certificate}`);
    await configureIdentityd(
      world,
      '[provisioning]\nsource = "none"\n[[principal]]\nuid = 64200\nname = "l1"\nidtype = ["local"]\nlocalid = { type = "x509", attributes = "server" }\n',
      [],
    );
    for (const name of ['keyd', 'certd', 'identityd'] as const) await world.start(name);
    const get = () => world.call('identityd', 'GET', '/identities/modules/l1?type=local');
    const [one, two] = [await get(), await get()];
    const { auth } = one.body.spec;
    const leaf = new X509Certificate(auth.certificate);
    expect(leaf.subject).toBe('CN=l1.test-device.example.org');
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2', '1.3.6.1.5.5.7.3.1']);
    expect(leaf.verify(new X509Certificate(ca.certificatePem).publicKey)).toBe(true);
    expect(auth.expiration).toBe(leaf.validToDate.toISOString().replace('.000Z', '+00:00'));
    expect(two.body.spec.auth.privateKey).not.toBe(auth.privateKey);
    const create = (moduleId: string) =>
      world.call('identityd', 'POST', '/identities/modules', { type: 'local', moduleId });
    expect([(await create('l1')).status, (await create('other')).status]).toEqual([400, 200]);
    expect((await world.call(...DEVICE)).body).toEqual({ message: 'device identity not found' });
    await world.stop('certd');
    expect(await get()).toMatchObject({ status: 500, body: { message: 'internal error' } });
  });
});
