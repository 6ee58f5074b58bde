import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestPki, type TestPki } from '../simulators/common/index.ts';
import { createEstSimulator, type EstSimulator, type EstSimulatorOptions } from '../simulators/est/index.ts';
import { makeRequest } from './support/certificate-request.ts';
import { CERTD_V, Device, KEYD_V } from './support/device.ts';

const BASIC = { username: 'estuser', password: 'p:ä' };
let pki: TestPki;
let est: EstSimulator;
let device: Device;

beforeEach(async () => {
  pki = await createTestPki();
  device = new Device();
});
afterEach(async () => {
  await device.close();
  await est.close();
});

interface World {
  readonly server?: Partial<EstSimulatorOptions>;
  /** Lines of `[cert_issuance.est]`. */
  readonly auth: string;
  readonly trusted?: string;
  readonly preloaded?: string;
  readonly keys?: string;
  readonly baseUrl?: (url: string) => string;
}

async function start({ server, auth, trusted = '["root"]', preloaded = '', keys = '', baseUrl }: World): Promise<void> {
  const clientCas = [(await pki.ca('bootstrap')).certificatePem, (await pki.ca('est')).certificatePem];
  est = await createEstSimulator({ pki, auth: { basic: [BASIC], clientCas }, ...server });
  const root = device.file('root.pem', pki.root.certificatePem);
  const stranger = device.file('stranger.pem', (await createTestPki()).root.certificatePem);
  device.configure('keyd', `[aziot_keys]\nhomedir_path = "${device.path('keyd')}"\n[preloaded_keys]\n${keys}`);
  device.configure(
    'certd',
    `homedir_path = "${device.path('certd')}"
[cert_issuance]
device-id = { method = "est", common_name = "override", expiry_days = 1 }
[cert_issuance.est]
trusted_certs = ${trusted}
${auth}
[cert_issuance.est.urls]
default = "${baseUrl ? baseUrl(est.url) : est.url}"
[preloaded_certs]
root = "file://${root}"
stranger = "file://${stranger}"
both = ["stranger", "root"]
${preloaded}`,
  );
  await Promise.all([device.start('keyd'), device.start('certd')]);
}

const withBasic = `username = "${BASIC.username}"\npassword = "${BASIC.password}"`;
const withIdentity = 'identity_cert = "est-id"\nidentity_pk = "est-id"';
const issue = (subject = '/CN=dev-01') =>
  device.call('certd', 'POST', `/certificates?${CERTD_V}`, {
    certId: 'device-id',
    csr: makeRequest(device.path('files'), subject),
  });
const chainOf = (pem: string): X509Certificate[] =>
  (pem.match(/-----BEGIN[\s\S]+?-----END CERTIFICATE-----\n/g) ?? []).map((block) => new X509Certificate(block));
const held = async (id: string): Promise<string> =>
  (await device.call('certd', 'GET', `/certificates/${id}?${CERTD_V}`)).body.pem;

test('EST-008 EST-009 EST-012 EST-013 EST-014 EST-030 basic authentication, a trusted bundle, the whole chain', async () => {
  await start({ auth: withBasic, trusted: '["both"]' });
  const answer = await issue();
  expect(answer.status).toBe(201);
  const [leaf, issuer, root] = chainOf(answer.body.pem);
  expect(leaf?.subject).toMatch(/^CN=dev-01$/m);
  expect(leaf?.verify(issuer!.publicKey) && issuer?.verify(root!.publicKey)).toBe(true);
  expect(leaf!.validToDate.getTime() - Date.now()).toBeGreaterThan(2 * 86_400_000);
});

test('EST-027 a server of an unknown authority is refused before anything is sent', async () => {
  await start({ auth: withBasic, trusted: '["stranger"]' });
  expect(await issue()).toEqual({ status: 500, body: { message: 'internal error' } });
  await device.logged('certd', /not trusted/);
});

test('EST-028 a server certificate for another name is refused, though its authority is trusted', async () => {
  const elsewhere = '127.0.0.2';
  await start({
    auth: withBasic,
    server: { host: elsewhere },
    baseUrl: (url) => url.replace('localhost', elsewhere),
  });
  expect((await issue()).status).toBe(500);
  await device.logged('certd', /certificate of 127\.0\.0\.2 is not trusted|IP: 127\.0\.0\.2/);
});

test('EST-021 a wrong password is tried once and never logged', async () => {
  await start({ auth: `username = "${BASIC.username}"\npassword = "sesame"` });
  expect(await issue()).toEqual({ status: 500, body: { message: 'internal error' } });
  await device.logged('certd', /answered 401/);
  expect(device.log('certd')).not.toMatch(/sesame|Basic /);
});

test('EST-019 a postponed enrolment succeeds while its caller waits', async () => {
  await start({ auth: withBasic, server: { quirks: { pending: { times: 1, retryAfterSeconds: 1 } } } });
  expect((await issue()).status).toBe(201);
  expect(device.log('certd')).toMatch(/postponed/);
});

test.each([
  ['EST-040 RSA', ['rsa:2048']],
  ['EST-041 EC', ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256']],
])('EST-031 %s: an identity whose key is in keyd makes the handshakes, and is left as it is', async (_name, kind) => {
  const ca = await pki.ca('bootstrap');
  const at = (name: string) => device.path('files', name);
  device.file('ca.pem', ca.certificatePem);
  device.file('ca.key', ca.keyPem);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'ignore' });
  openssl(
    'req',
    '-new',
    '-newkey',
    ...kind,
    '-nodes',
    '-keyout',
    at('id.key'),
    '-subj',
    '/CN=TEST identity',
    '-out',
    at('id.csr'),
  );
  openssl(
    'x509',
    '-req',
    '-in',
    at('id.csr'),
    '-CA',
    at('ca.pem'),
    '-CAkey',
    at('ca.key'),
    '-set_serial',
    '7',
    '-days',
    '30',
    '-out',
    at('id.pem'),
  );
  await start({
    auth: withIdentity,
    keys: `est-id = "file://${at('id.key')}"`,
    preloaded: `est-id = "file://${at('id.pem')}"`,
    server: { auth: { clientCas: [ca.certificatePem] } },
  });
  expect((await issue()).status).toBe(201);
  expect(await held('est-id')).toBe(readFileSync(at('id.pem'), 'utf8'));
});

test('EST-032 EST-034 RN-031 bootstrap once; a due identity is renewed when it is next used, with a new key', async () => {
  const boot = await pki.issueClientCertificate('CN=TEST factory');
  const cert = device.file('boot.pem', boot.certPem);
  const key = device.file('boot.key', boot.keyPem);
  await start({
    auth: `${withIdentity}\nbootstrap_identity_cert = "boot"\nbootstrap_identity_pk = "boot"\nidentity_auto_renew = { threshold = "400day" }`,
    keys: `boot = "file://${key}"`,
    preloaded: `boot = "file://${cert}"`,
  });
  expect((await issue()).status).toBe(201);
  const first = await held('est-id');
  expect(chainOf(first)[0]?.subject).toMatch(/^CN=override$/m);
  expect((await issue('/CN=dev-02')).status).toBe(201);
  const second = await held('est-id');
  expect(chainOf(second)[0]?.subject).toMatch(/^CN=override$/m);
  expect(chainOf(second)[0]?.publicKey.equals(chainOf(first)[0]!.publicKey)).toBe(false);
  expect((await device.call('keyd', 'GET', `/keypair/est-id-temp?${KEYD_V}`)).status).toBe(400);
});
