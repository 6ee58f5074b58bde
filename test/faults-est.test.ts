import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestPki, type TestPki } from '../simulators/common/index.ts';
import { createEstSimulator, type EstSimulator } from '../simulators/est/index.ts';
import { makeRequest } from './support/certificate-request.ts';
import { CERTD_V, Device } from './support/device.ts';

let pki: TestPki;
let est: EstSimulator;
let device: Device;

/** keyd and certd with EST, the bootstrap certificate of the authority named. */
async function start(bootstrapFrom: TestPki): Promise<void> {
  const bootstrap = await bootstrapFrom.issueClientCertificate('CN=TEST factory');
  const key = device.file('bootstrap.key', bootstrap.keyPem);
  const cert = device.file('bootstrap.pem', bootstrap.certPem);
  const root = device.file('root.pem', pki.root.certificatePem);
  device.configure(
    'keyd',
    `[aziot_keys]\nhomedir_path = "${device.path('keyd')}"\n[preloaded_keys]\nboot = "file://${key}"`,
  );
  device.configure(
    'certd',
    `homedir_path = "${device.path('certd')}"
[cert_issuance]
device-id = { method = "est" }
[cert_issuance.est]
trusted_certs = ["root"]
identity_cert = "est-id"
identity_pk = "est-id"
bootstrap_identity_cert = "boot"
bootstrap_identity_pk = "boot"
[cert_issuance.est.urls]
default = "${est.url}"
[preloaded_certs]
root = "file://${root}"
boot = "file://${cert}"`,
  );
  await device.start('keyd');
  await device.start('certd');
}

const issue = () =>
  device.call('certd', 'POST', `/certificates?${CERTD_V}`, {
    certId: 'device-id',
    csr: makeRequest(device.path('files'), '/CN=dev-01'),
  });
const held = (id: string) => device.call('certd', 'GET', `/certificates/${id}?${CERTD_V}`);

beforeEach(async () => {
  pki = await createTestPki();
  const clientCas = [(await pki.ca('bootstrap')).certificatePem, (await pki.ca('est')).certificatePem];
  est = await createEstSimulator({ pki, auth: { clientCas } });
  device = new Device();
});
afterEach(async () => {
  await device.close();
  await est.close();
});

/** The caller learns nothing, the log has cause and remedy, nothing is stored, the daemon lives and succeeds once the fault is gone. */
async function refusedFor(cause: RegExp): Promise<void> {
  const answer = await issue();
  expect(answer).toEqual({ status: 500, body: { message: 'internal error' } });
  await device.logged('certd', cause);
  expect((await held('device-id')).status).toBe(400);
  expect(device.alive('certd')).toBe(true);
}

async function worksAgain(): Promise<void> {
  est.faults.clear();
  est.setQuirks({});
  const answer = await issue();
  expect(answer.status, device.log('certd')).toBe(201);
  expect((await held('device-id')).body.pem).toBe(answer.body.pem);
}

describe('EST faults, seen by the caller of certd', () => {
  it('no fault: bootstrap, then the device certificate', async () => {
    await start(pki);
    await worksAgain();
    expect((await held('est-id')).status).toBe(200);
  });

  it('wrong bootstrap certificate: refused, and the log says by whom and what to check', async () => {
    await start(await createTestPki());
    await refusedFor(/EST[\s\S]*(401|403)/i);
  });

  it('EST down', async () => {
    await start(pki);
    const { url } = est;
    await est.close();
    await refusedFor(/could not (connect|reach)|refused/i);
    const port = Number(new URL(url).port);
    const clientCas = [(await pki.ca('bootstrap')).certificatePem, (await pki.ca('est')).certificatePem];
    est = await createEstSimulator({ pki, auth: { clientCas }, port });
    await worksAgain();
  });

  it('EST slow: other requests are answered meanwhile', async () => {
    await start(pki);
    est.faults.add({ fault: { kind: 'delay', milliseconds: 3000 }, where: 'simpleenroll', times: 1 });
    const slow = issue();
    const begin = performance.now();
    expect((await held('boot')).status).toBe(200);
    expect(performance.now() - begin).toBeLessThan(1500);
    expect((await slow).status).toBe(201);
  });

  it('EST answers a page in HTML', async () => {
    await start(pki);
    est.setQuirks({ html: true });
    await refusedFor(/content.type[\s\S]*text\/html/i);
    await worksAgain();
  });

  it("someone else's certificate is not stored", async () => {
    await start(pki);
    est.setQuirks({ foreignLeaf: true });
    await refusedFor(/key/i);
    await worksAgain();
  });

  it('the connection is cut, or the answer ends too early', async () => {
    await start(pki);
    est.faults.add({ fault: { kind: 'reset' } });
    await refusedFor(/EST/i);
    est.faults.clear();
    est.faults.add({ fault: { kind: 'close-mid-body' } });
    await refusedFor(/EST/i);
    await worksAgain();
  });
});
