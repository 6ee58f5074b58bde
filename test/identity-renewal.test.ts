import { createPublicKey, X509Certificate } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { configureIssuedDevice, createIdentityWorld, type IdentityWorld } from './identity-world.ts';
import { type Forwarder, forward } from './support/forwarder.ts';

const endings: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

const IN_LINE = 'Identity reconciliation complete.';
const REPROVISION = ['identityd', 'POST', '/identities/device/reprovision'] as const;
const DEVICE = ['identityd', 'POST', '/identities/device', { type: 'aziot' }] as const;
/** Always due, so that each provisioning renews. */
const ALWAYS = 'identity_auto_renew = { rotate_key = true, threshold = "3650day", retry = "10day" }\n';

interface Renewing {
  readonly world: IdentityWorld;
  /** What identityd asks of certd and keyd, in its order. */
  readonly certd: Forwarder;
  readonly keyd: Forwarder;
}

const registrations = (world: IdentityWorld) =>
  world.dps.journal.list().filter(({ target }) => target.includes('/register')).length;

/** A provisioned device whose certificate was made at its first start. */
async function provisioned(more: string): Promise<Renewing> {
  const world = await createIdentityWorld();
  endings.push(() => world.close());
  await configureIssuedDevice(world, 'Dev-R', more);
  const through = async (name: 'certd' | 'keyd') => {
    const path = join(world.folder, `${name}-seen.sock`);
    const forwarder = await forward(path, join(world.folder, `${name}.sock`), () => registrations(world));
    endings.push(() => forwarder.close());
    return { path, forwarder };
  };
  const [certd, keyd] = [await through('certd'), await through('keyd')];
  await mkdir(join(world.folder, 'identityd.d'), { recursive: true });
  const endpoints = `[endpoints]\naziot_certd = "unix://${certd.path}"\naziot_keyd = "unix://${keyd.path}"\n`;
  await writeFile(join(world.folder, 'identityd.d', '50-endpoints.toml'), endpoints);
  for (const name of ['keyd', 'certd', 'identityd'] as const) await world.start(name);
  await world.logs('identityd', IN_LINE);
  return { world, certd: certd.forwarder, keyd: keyd.forwarder };
}

async function stored(world: IdentityWorld): Promise<{ pem: string; modulus: string }> {
  const { pem } = (await world.call('certd', 'GET', '/certificates/idcert')).body;
  const { keyHandle } = (await world.call('keyd', 'GET', '/keypair/idkey')).body;
  const { value } = (await world.call('keyd', 'POST', '/parameters/rsa-modulus', { keyHandle })).body;
  return {
    pem,
    modulus: Buffer.from(value, 'base64')
      .toString('hex')
      .replace(/^(00)+/, ''),
  };
}

function modulusOf(pem: string): string {
  const { n = '' } = createPublicKey(new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'pem' })).export(
    {
      format: 'jwk',
    },
  );
  return Buffer.from(n, 'base64url').toString('hex');
}

const linesOf = ({ seen }: Forwarder, from: number) => seen.slice(from).map(({ line }) => line);
const temporaryIsGone = async (world: IdentityWorld) => [
  (await world.call('certd', 'GET', '/certificates/idcert-temp')).status,
  (await world.call('keyd', 'GET', '/keypair/idkey-temp')).status,
];

test('RN-048 a named identity gets an RSA key and a certificate before it is provisioned; RN-006 without a policy it is never renewed', async () => {
  const { world, certd } = await provisioned('');
  const before = await stored(world);
  expect(before.modulus).toHaveLength(512);
  expect(modulusOf(before.pem)).toBe(before.modulus);
  expect(new X509Certificate(before.pem).subject).toBe('CN=Dev-R');
  expect(certd.seen.find(({ line }) => line === 'POST /certificates idcert')?.registrations).toBe(0);
  expect((await world.call(...REPROVISION)).status).toBe(204);
  expect(await stored(world)).toEqual(before);
  expect(linesOf(certd, 0).filter((line) => line.startsWith('POST'))).toEqual(['POST /certificates idcert']);
});

test('RN-043 RN-049 RN-051 a request to provision while due renews in the documented sequence, and uses the new pair at once', async () => {
  const { world, certd, keyd } = await provisioned(ALWAYS);
  const before = await stored(world);
  const [asked, keys, registered] = [certd.seen.length, keyd.seen.length, registrations(world)];
  expect((await world.call(...REPROVISION)).status).toBe(204);
  const writes = certd.seen.slice(asked).filter(({ line }) => !line.startsWith('GET'));
  expect(writes.map(({ line }) => line)).toEqual([
    'POST /certificates idcert-temp',
    'DELETE /certificates/idcert-temp',
    'PUT /certificates/idcert',
  ]);
  const [made, , put] = writes;
  expect([made?.registrations, (put?.registrations ?? 0) > registered]).toEqual([registered, true]);
  expect(linesOf(keyd, keys)).toContain('POST /keypair/idkey');
  const after = await stored(world);
  expect([after.pem === before.pem, after.modulus === before.modulus]).toEqual([false, false]);
  expect(modulusOf(after.pem)).toBe(after.modulus);
  expect(await temporaryIsGone(world)).toEqual([400, 400]);
  const { auth } = (await world.call(...DEVICE)).body.spec;
  const { value } = (await world.call('keyd', 'POST', '/parameters/rsa-modulus', { keyHandle: auth.keyHandle })).body;
  expect(
    Buffer.from(value, 'base64')
      .toString('hex')
      .replace(/^(00)+/, ''),
  ).toBe(after.modulus);
  expect(auth.certId).toBe('idcert');
});

test('RN-044 where DPS refuses the new certificate, certificate and key stay; it is tried again', async () => {
  const { world, certd } = await provisioned(ALWAYS);
  const before = await stored(world);
  world.dps.faults.add({ fault: { kind: 'status', status: 401 }, where: '/register' });
  await world.call(...REPROVISION);
  expect(linesOf(certd, 0)).toContain('POST /certificates idcert-temp');
  expect(await stored(world)).toEqual(before);
  world.dps.faults.clear();
  expect((await world.call(...REPROVISION)).status).toBe(204);
  expect((await stored(world)).pem).not.toBe(before.pem);
});

test('RN-045 a temporary certificate that cannot be deleted is only warned of', async () => {
  const { world, certd } = await provisioned(ALWAYS);
  const before = await stored(world);
  certd.refuse = (line) => (line === 'DELETE /certificates/idcert-temp' ? 500 : undefined);
  expect((await world.call(...REPROVISION)).status).toBe(204);
  await world.logs('identityd', 'could not delete certificate idcert-temp');
  const after = await stored(world);
  expect([after.pem === before.pem, modulusOf(after.pem)]).toEqual([false, after.modulus]);
});

test('RN-046 without a right on the temporary id the old certificate stays in use, with a warning at each try', async () => {
  const { world, certd } = await provisioned(ALWAYS);
  const before = await stored(world);
  certd.refuse = (line, body) => (line === 'POST /certificates' && body.includes('"idcert-temp"') ? 401 : undefined);
  const warnings = () => world.log('identityd').match(/failed to create new cert/g)?.length ?? 0;
  for (const tries of [1, 2]) {
    await world.call(...REPROVISION);
    expect(warnings()).toBeGreaterThanOrEqual(tries);
  }
  expect(await stored(world)).toEqual(before);
  expect((await world.call(...DEVICE)).body.spec.auth.certId).toBe('idcert');
});
