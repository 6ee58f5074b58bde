import { createPublicKey, X509Certificate } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { ClientError } from '../ipc/index.ts';
import type { AutoRenew, Settings } from './settings.ts';
import { createWorld, DPS, type Running, type World } from './testing/world.ts';

const worlds: World[] = [];
afterEach(() => Promise.all(worlds.splice(0).map((world) => world.close())));

const READY = 'Starting server...';
const RENEWED = 'Certificate idcert was renewed.';
const DEVICE = ['POST', '/identities/device', { type: 'aziot' }] as const;

function provisioning(over: Partial<AutoRenew> = {}): Settings['provisioning'] {
  if (DPS.source !== 'dps') throw new Error('fixture');
  const autoRenew = { rotateKey: true, threshold: '80%', retry: '4%', ...over };
  return {
    ...DPS,
    attestation: { method: 'x509', certId: 'idcert', keyPairId: 'idkey', registrationId: 'Dev-R', autoRenew },
  };
}

/** A device that is provisioned; its clock jumps to whatever it waits for as soon as it is idle. */
async function started(over: Partial<AutoRenew> = {}): Promise<{ world: World; daemon: Running }> {
  const world = await createWorld({ provisioning: provisioning(over) });
  worlds.push(world);
  const daemon = await world.start();
  await daemon.logs(READY);
  return { world, daemon };
}

function storedMatches(world: World): boolean {
  const certificate = new X509Certificate(world.certd.certificates.get('idcert')!);
  return certificate.publicKey.equals(createPublicKey(world.keyd.pairs.get('idkey')!));
}

describe('renewal of the device certificate', () => {
  it('IS-090: registers with the new certificate first, then stores it; the pair matches and nothing temporary is left', async () => {
    const { world, daemon } = await started();
    const before = world.certd.certificates.get('idcert');
    const key = world.keyd.pairs.get('idkey');
    const order: string[] = [];
    const put = world.certd.import.bind(world.certd);
    world.certd.import = async (id, pem) => {
      order.push(`import ${id}`);
      await put(id, pem);
    };
    world.cloud.script = (line) => {
      if (line.endsWith('/register')) order.push('register');
      return undefined;
    };
    await daemon.logs(RENEWED);
    expect(order.slice(0, 2)).toEqual(['register', 'import idcert']);
    await daemon.stop();
    expect(world.certd.certificates.get('idcert')).not.toBe(before);
    expect(world.keyd.pairs.get('idkey')).not.toBe(key);
    expect(storedMatches(world)).toBe(true);
    expect([...world.keyd.pairs.keys(), ...world.certd.certificates.keys()]).toEqual(['idkey', 'idcert']);
    expect(await world.read('renewal_journal')).toBeUndefined();
  });

  it('keeps the key where rotation is off', async () => {
    const { world, daemon } = await started({ rotateKey: false });
    const key = world.keyd.pairs.get('idkey');
    await daemon.logs(RENEWED);
    await daemon.stop();
    expect(world.keyd.pairs.get('idkey')).toBe(key);
    expect(storedMatches(world)).toBe(true);
  });

  it('IS-091: where issuing fails the old credential stays in use and it is tried again', async () => {
    const { world, daemon } = await started();
    const create = world.certd.create.bind(world.certd);
    const before = world.certd.certificates.get('idcert');
    world.certd.create = () => Promise.reject(new ClientError('refused', 'no issuer', { status: 500 }));
    await daemon.logs('Tried to renew idcert, but failed to create new cert.', 2);
    expect((await daemon.call(0, ...DEVICE)).body.spec.auth).toMatchObject({ type: 'x509', keyHandle: 'pair|idkey' });
    expect(world.certd.certificates.get('idcert')).toBe(before);
    world.certd.create = create;
    await daemon.logs(RENEWED);
  });

  it('where DPS refuses the new certificate nothing is stored', async () => {
    const { world, daemon } = await started();
    const before = world.certd.certificates.get('idcert');
    world.cloud.script = (line) =>
      line.endsWith('/register') ? { status: 401, body: { message: 'Unauthorized' } } : undefined;
    await daemon.logs('The device certificate could not be renewed');
    expect(world.certd.certificates.get('idcert')).toBe(before);
    expect((await daemon.call(0, ...DEVICE)).status).toBe(200);
  });

  it('IS-092: a certificate that somebody else stored is used from then on', async () => {
    const { world, daemon } = await started();
    const other = await createWorld({ provisioning: provisioning() });
    worlds.push(other);
    const elsewhere = await other.start();
    await elsewhere.logs(READY);
    await elsewhere.stop();
    world.keyd.pairs.set('idkey', other.keyd.pairs.get('idkey')!);
    world.certd.certificates.set('idcert', other.certd.certificates.get('idcert')!);
    await daemon.logs('Certificate idcert has been replaced by somebody else');
    expect((await daemon.call(0, 'POST', '/identities/device/reprovision')).status).toBe(204);
  });

  it('a renewal that was cut off after DPS took the certificate is finished at the next start', async () => {
    const { world, daemon } = await started();
    world.keyd.moveKeyPair = () => Promise.reject(new ClientError('unreachable', 'away'));
    await daemon.logs('Renewal of idcert is not finished');
    await daemon.stop();
    expect(storedMatches(world)).toBe(false);
    world.keyd.moveKeyPair = async (from, to) => {
      world.keyd.pairs.set(to, world.keyd.pairs.get(from)!);
      world.keyd.pairs.delete(from);
    };
    const again = await world.start();
    await again.logs(READY);
    await again.stop();
    expect(storedMatches(world)).toBe(true);
    expect(await world.read('renewal_journal')).toBeUndefined();
  });
});
