import { createPublicKey, X509Certificate } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { ClientError } from '../ipc/index.ts';
import { parseCsr, readCertificate } from '../x509/index.ts';
import { cutCommonName, deviceSubject } from './common-name.ts';
import type { IdType, LocalPurpose, Principal, Settings } from './settings.ts';
import { createWorld, DPS, type World } from './testing/world.ts';

const worlds: World[] = [];
afterEach(() => Promise.all(worlds.splice(0).map((world) => world.close())));

const READY = 'Starting server...';
const principal = (uid: number, name: string, idTypes?: IdType[], localPurpose?: LocalPurpose): Principal => ({
  uid,
  name,
  idTypes,
  localPurpose,
});

async function makeWorld(over: Partial<Settings> = {}): Promise<World> {
  const world = await createWorld(over);
  worlds.push(world);
  return world;
}

function x509(registrationId: string | undefined): Settings['provisioning'] {
  if (DPS.source !== 'dps') throw new Error('fixture');
  return {
    ...DPS,
    attestation: { method: 'x509', certId: 'idcert', keyPairId: 'idkey', registrationId, autoRenew: undefined },
  };
}

const DEVICE = ['POST', '/identities/device', { type: 'aziot' }] as const;

describe('device certificates', () => {
  it('IS-081: without a certificate the key is replaced and one is issued', async () => {
    const world = await makeWorld({ provisioning: x509('Dev-I') });
    await world.keyd.createKeyPairIfNotExists('idkey');
    const old = world.keyd.pairs.get('idkey');
    const daemon = await world.start();
    await daemon.logs(READY);
    expect(world.keyd.pairs.get('idkey')).not.toBe(old);
    expect(world.keyd.calls).toContain('createKeyPair idkey rsa-2048:*');
    const csr = await parseCsr(world.certd.requests.get('idcert')!);
    expect(csr.extensions).toEqual([]);
    expect(new X509Certificate(world.certd.certificates.get('idcert')!).subject).toBe('CN=Dev-I');
    expect((await daemon.call(0, ...DEVICE)).body.spec.auth).toEqual({
      type: 'x509',
      keyHandle: 'pair|idkey',
      certId: 'idcert',
    });
  });

  it('IS-082: an outage or a refusal of certd costs no key; it is tried again', async () => {
    for (const outage of [
      new ClientError('unreachable', 'away'),
      new ClientError('refused', 'no', { status: 401 }),
      new ClientError('refused', 'internal error', { status: 500 }),
    ]) {
      const world = await makeWorld({ provisioning: x509('Dev-I') });
      await world.keyd.createKeyPairIfNotExists('idkey');
      const old = world.keyd.pairs.get('idkey');
      world.certd.outage = outage;
      const daemon = await world.start();
      await daemon.logs('Failed to provision with IoT Hub', 2);
      expect(world.keyd.pairs.get('idkey')).toBe(old);
      world.certd.outage = undefined;
      expect((await daemon.call(0, ...DEVICE)).status).toBe(200);
    }
  });

  it('IS-083, RN-047: neither id nor certificate: the cause is in the log and no key is made; a certificate names the registration', async () => {
    const world = await makeWorld({ provisioning: x509(undefined) });
    const daemon = await world.start();
    await daemon.logs('identity cert does not exist; cannot create new cert as registration ID is unknown');
    expect(world.keyd.pairs.size).toBe(0);
    expect((await daemon.call(0, 'GET', '/identities/provisioning')).status).toBe(500);

    const other = await makeWorld({ provisioning: x509('Dev-X') });
    await (await other.start()).logs(READY);
    await world.certd.import('idcert', other.certd.certificates.get('idcert')!);
    world.keyd.pairs.set('idkey', other.keyd.pairs.get('idkey')!);
    await daemon.logs(READY);
    expect(world.cloud.lines[0]).toBe('PUT /0ne00Test01/registrations/Dev-X/register');
    expect((await daemon.call(0, 'GET', '/identities/provisioning')).body.registration_id).toBe('Dev-X');
  });

  it('IS-084: a name is cut to 64 bytes between characters, the registration id is not', async () => {
    const id = 'r'.repeat(70);
    const world = await makeWorld({ provisioning: x509(id) });
    await (await world.start()).logs(READY);
    expect(new X509Certificate(world.certd.certificates.get('idcert')!).subject).toBe(`CN=${'r'.repeat(64)}`);
    expect(world.cloud.lines[0]).toBe(`PUT /0ne00Test01/registrations/${id}/register`);
    expect(cutCommonName(`${'r'.repeat(63)}é`)).toBe('r'.repeat(63));
  });

  it('IS-085: further attributes follow the CN in the order of their names, in any case', () => {
    expect(deviceSubject('Dev-01', { O: 'Org', l: 'AQ', cn: 'ignored', emailAddress: 'a@b' })).toEqual([
      ['CN', 'Dev-01'],
      ['emailAddress', 'a@b'],
      ['l', 'AQ'],
      ['O', 'Org'],
    ]);
  });
});

describe('local identities', () => {
  const principals = [
    principal(4004, 'l1', ['local'], undefined),
    principal(4006, 'ml', ['module', 'local'], 'server'),
  ];
  const get = (id: string) => ['GET', `/identities/modules/${id}?type=local`] as const;

  it('IS-086, IS-089: CN, usages and expiration; every call has a key of its own', async () => {
    const world = await makeWorld({ principals });
    const daemon = await world.start();
    const [one, two] = [await daemon.call(4004, ...get('l1')), await daemon.call(0, ...get('l1'))];
    const certificate = new X509Certificate(one.body.spec.auth.certificate);
    expect(certificate.subject).toBe('CN=l1.gateway-host.example.org');
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(certificate.ca).toBe(false);
    const csr = await parseCsr(world.certd.requests.get('l1')!);
    expect(csr.extensions.map(({ oid, der }) => [oid, der.includes(Buffer.of(1, 1, 0xff))])).toEqual([
      ['2.5.29.19', true],
      ['2.5.29.15', true],
      ['2.5.29.37', true],
    ]);
    expect(certificate.publicKey.equals(createPublicKey(one.body.spec.auth.privateKey))).toBe(true);
    expect(one.body.spec.auth.privateKey).not.toBe(two.body.spec.auth.privateKey);
    const { notAfter } = readCertificate(certificate.raw);
    expect(one.body.spec.auth.expiration).toBe(new Date(notAfter).toISOString().replace('.000Z', '+00:00'));
  });

  it('IS-026, IS-027: the options of the principal count, and only local principals are listed', async () => {
    const world = await makeWorld({ principals: [...principals, principal(4001, 'm1', ['module'])] });
    const daemon = await world.start();
    const server = new X509Certificate((await daemon.call(4006, ...get('ml'))).body.spec.auth.certificate);
    expect(server.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2', '1.3.6.1.5.5.7.3.1']);
    expect((await daemon.call(4001, ...get('m1'))).body.message).toBe(
      'parameter "moduleId" has an invalid value\ncaused by: local identity for m1 doesn\'t exist',
    );
  });

  it('IS-087, IS-088: E5 refuses listed names and malformed options', async () => {
    const world = await makeWorld({ principals });
    const daemon = await world.start();
    const create = (moduleId: string, localIdOpts?: unknown) =>
      daemon.call(0, 'POST', '/identities/modules', { type: 'local', moduleId, localIdOpts });
    expect((await create('l1')).body.message).toContain('local identity for l1 already exists');
    expect((await create('other', { type: 'x509', attributes: 'server' })).status).toBe(200);
    for (const bad of [
      { type: 'x509', attributes: 'bogus' },
      { type: 'x509' },
      {},
      'x',
      { type: 'odd', attributes: 'client' },
    ]) {
      expect((await create('other', bad)).status).toBe(422);
    }
    expect((await create('')).status).toBe(400);
  });

  it('IS-017, IS-034: without provisioning they work, and a certd that is away is a bare 500', async () => {
    const world = await makeWorld({
      principals: [principals[0]!],
      provisioning: { source: 'none', gateway: undefined },
    });
    const daemon = await world.start();
    expect((await daemon.call(4004, ...get('l1'))).status).toBe(200);
    world.certd.outage = new ClientError('unreachable', 'away');
    expect(await daemon.call(4004, ...get('l1'))).toEqual({ status: 500, body: { message: 'internal error' } });
    world.settings = { ...world.settings, localIdDomain: undefined };
    world.certd.outage = undefined;
    expect((await daemon.call(4004, ...get('l1'))).status).toBe(500);
  });
});
