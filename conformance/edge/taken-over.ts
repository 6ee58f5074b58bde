import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { cloudOf } from '../cloud/index.ts';
import { group, type World } from '../runner/index.ts';
import { makeAuthority, verifyChain } from './chain.ts';
import { bodyText, CA, text } from './edge-ca.ts';
import { IV, MODULE, referenceCiphertext } from './reference-ciphertext.ts';
import { Workload } from './workload.ts';
import { DEVICE, edgeDaemon, QUICK, startServices, writeDevice } from './world.ts';

const run = promisify(execFile);
const MASTER = Buffer.alloc(32, 6);

const hash = (value: string): string => createHash('sha256').update(value).digest('hex');

/** The name of a file that keeps what has this id: its letters and digits, and the SHA-256 of the whole id. */
const nameOf = (id: string): string => `${id.replace(/[^A-Za-z0-9]/g, '')}-${hash(id)}`;

/** The files that keyd of the reference wrote: raw keys, RSA as PKCS#1. */
async function writeKeys(world: World): Promise<void> {
  const pem = await readFile(world.path('secrets', 'edge-ca.key.pem'), 'utf8');
  const pkcs1 = createPrivateKey(pem).export({ type: 'pkcs1', format: 'pem' });
  const raw = { aziot_identityd_master_id: Buffer.alloc(32, 1), iotedge_master_encryption_id: MASTER };
  await world.file(`keyd/home/keys/${nameOf(CA)}.key`, pkcs1.toString(), 0o600);
  for (const [id, key] of Object.entries(raw)) await world.file(`keyd/home/keys/${nameOf(id)}.key`, key, 0o600);
}

/** The files that identityd of the reference wrote (fixtures/golden/identity-state.json), with one module in the cache. */
async function writeState(world: World, hubName: string, generationId: string): Promise<void> {
  const place = `hub_name = "${hubName}"\nlocal_gateway_hostname = "${hubName}"\ndevice_id = "${DEVICE}"\n`;
  await world.file('identityd/home/device_info', place);
  const provisioning = `[provisioning]\nsource = "manual"\niothub_hostname = "${hubName}"\ndevice_id = "${DEVICE}"\n`;
  const authentication = '[provisioning.authentication]\nmethod = "sas"\ndevice_id_pk = "device-id"\n';
  const head = 'hostname = "edge-host"\nhomedir = "@ROOT@/identityd/home"\nprefer_module_identity_cache = false\n';
  const principal = '[[principal]]\nuid = 5558\nname = "aziot-edge"\n';
  await world.file('identityd/home/prev_state', [head, provisioning, authentication, principal].join('\n'));
  const folder = `identityd/home/modules/${hash(hubName)}-${hash(DEVICE)}`;
  const module = { moduleId: MODULE.moduleId, deviceId: DEVICE, generationId };
  await world.file(`${folder}/${nameOf(MODULE.moduleId)}`, JSON.stringify(module));
}

/** A server certificate that the edge CA issued in former times. */
async function oldServerCertificate(world: World): Promise<string> {
  const [ca, key] = [world.path('secrets', 'edge-ca.pem'), world.path('secrets', 'edge-ca.key.pem')];
  const out = world.path('secrets', 'old-server.pem');
  const wish = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', '/CN=TEST old server'];
  await run('openssl', [...wish, '-CA', ca, '-CAkey', key, '-keyout', world.path('secrets', 'old.key'), '-out', out]);
  return readFile(out, 'utf8');
}

export const takenOver = group('IoT Edge: state of the reference', {
  'EDGE-032': [
    'on the files of the reference the daemon starts without removing or replacing anything; old ciphertexts and certificates count',
    'spec',
    async (context) => {
      context.needRoot();
      const world = await context.fresh();
      await writeDevice(world, 'default');
      const { cloud } = cloudOf(world);
      await cloud.putModule(DEVICE, MODULE.moduleId);
      const before = await cloud.modules(DEVICE);
      await makeAuthority(world, 'edge-ca');
      const authority = await readFile(world.path('secrets', 'edge-ca.pem'), 'utf8');
      await writeKeys(world);
      await world.file(`certd/home/certs/${nameOf(CA)}.cer`, authority);
      await writeState(world, cloud.facts.hub.hostName, before.get(MODULE.moduleId)?.generationId ?? '');
      const server = await oldServerCertificate(world);

      await startServices(world);
      const edge = edgeDaemon(world, QUICK);
      await edge.start();

      const changing = edge.client.sent.filter(
        ({ method, path }) => method === 'DELETE' || /reprovision|^\/certificates$/.test(path),
      );
      assert.deepEqual(changing, []);
      const generations = (modules: typeof before) =>
        [...modules.values()].map(({ moduleId, generationId }) => [moduleId, generationId]);
      assert.deepEqual(generations(await cloud.modules(DEVICE)), generations(before));
      assert.equal(bodyText(await edge.client.ask('certd', 'GET', `/certificates/${CA}`), 'pem'), authority);
      const workload = new Workload(edge.client);
      const opened = await workload.decrypt(MODULE, referenceCiphertext(MASTER, 'from before'), IV);
      assert.equal(Buffer.from(bodyText(opened, 'plaintext') ?? '', 'base64').toString(), 'from before', text(opened));
      await verifyChain(world, server, (await workload.trustBundle()) ?? '');
    },
  ],
});
