import { afterEach, expect, it } from 'vitest';
import { HttpsError, loadTrust, type SendHttpsOptions, sendHttps } from '../impl/https/index.ts';
import { configureKeyd, createIdentityWorld, type IdentityWorld } from './identity-world.ts';

let world: IdentityWorld | undefined;
afterEach(async () => {
  await world?.stop('keyd', 'SIGCONT');
  await world?.close();
  world = undefined;
});

/** A request to the hub as a client whose key is in keyd. */
async function prepare(): Promise<{ world: IdentityWorld; options: SendHttpsOptions }> {
  const made = await createIdentityWorld();
  world = made;
  const client = await made.pki.issueClientCertificate('CN=Dev-K', { caName: 'device' });
  const key = await made.write('client.key', client.keyPem);
  await configureKeyd(made, { client: `file://${key}` });
  await made.start('keyd');
  const { keyHandle } = (await made.call('keyd', 'GET', '/keypair/client')).body;
  const options: SendHttpsOptions = {
    method: 'GET',
    url: `${made.hub.url}/devices/Dev-K/modules?api-version=2017-11-08-preview`,
    headers: [['host', made.hub.hostName]],
    trust: await loadTrust({ SSL_CERT_FILE: `${made.folder}/root.pem` }),
    connectTimeoutMs: 20_000,
    totalTimeoutMs: 20_000,
    credential: { keyHandle, certificateChainPem: client.certPem },
    keydSocketPath: `${made.folder}/keyd.sock`,
  };
  return { world: made, options };
}

it('CL-006: keyd makes the signature of the handshake, and the server sees the certificate', async () => {
  const { world: made, options } = await prepare();
  const ca = await made.pki.ca('device');
  made.hub.registry.upsertDevice({
    deviceId: 'Dev-K',
    authentication: { type: 'certificateAuthority', caPem: [ca.certificatePem] },
  });
  const answer = await sendHttps(options);
  expect([answer.status, answer.body.toString()]).toEqual([200, '[]']);
});

it('a key service that hangs in the handshake stops neither this thread nor the next request', async () => {
  const { world: made, options } = await prepare();
  await sendHttps(options);
  await made.stop('keyd', 'SIGSTOP');
  let ticks = 0;
  const ticking = setInterval(() => ticks++, 50);
  const error = await sendHttps({ ...options, totalTimeoutMs: 1000 }).catch((thrown: unknown) => thrown);
  clearInterval(ticking);
  expect(error).toBeInstanceOf(HttpsError);
  expect((error as HttpsError).kind).toBe('client-credential');
  expect(ticks).toBeGreaterThan(20);
  await made.stop('keyd', 'SIGCONT');
  expect((await sendHttps(options)).status).toBeGreaterThan(0);
});

it('a handle that keyd does not take is a fault of the credential', async () => {
  const { options } = await prepare();
  const credential = {
    keyHandle: 'sr=bad&sig=bad',
    certificateChainPem: options.credential?.certificateChainPem ?? '',
  };
  await expect(sendHttps({ ...options, credential })).rejects.toMatchObject({ kind: 'client-credential' });
});
