import { afterEach, expect, test } from 'vitest';
import { sendTestRequest, testToken } from '../credentials/index.ts';
import { createHubSimulator, type HubSimulator } from '../hub/index.ts';
import { deriveDeviceKey } from './index.ts';
import {
  client,
  clock,
  closeAll,
  GROUP_KEY,
  keys,
  pki,
  provision,
  root,
  SECONDARY,
  seconds,
  shown,
  start,
  token,
} from './testing.ts';

/** A device goes from its registration to its hub with one and the same credential. */

const hubs: HubSimulator[] = [];

async function startHub(): Promise<HubSimulator> {
  const hub = await createHubSimulator({ pki, clock });
  hubs.push(hub);
  return hub;
}

afterEach(async () => {
  await closeAll();
  await Promise.all(hubs.splice(0).map((hub) => hub.close()));
});

function modules(
  hub: HubSimulator,
  deviceId: string,
  credential: { key?: string; tls?: { cert: string; key: string } },
) {
  const resource = `${hub.hostName}/devices/${deviceId}`.toLowerCase();
  const authorization = credential.key && testToken({ resource, key: credential.key, se: seconds() + 30 });
  return sendTestRequest({
    method: 'GET',
    url: `https://${hub.hostName}`,
    target: `/devices/${deviceId}/modules?api-version=2017-11-08-preview`,
    headers: authorization ? { authorization } : {},
    ca: pki.root.certificatePem,
    ...credential.tls,
  });
}

test('a group device uses its derived key at the assigned hub, and stays the same when it registers again', async () => {
  const hub = await startHub();
  const { dps } = await start({ hubs: [hub.link] });
  dps.enrollments.addGroup({ groupId: 'fleet', attestation: keys(GROUP_KEY, SECONDARY), edge: true });
  const key = deriveDeviceKey(GROUP_KEY, 'Dev-01');
  const { registrationState } = await provision(dps, 'Dev-01', { authorization: token('Dev-01', key) });
  expect(registrationState).toMatchObject({ assignedHub: hub.hostName, deviceId: 'Dev-01' });
  hub.registry.createModule('Dev-01', 'm1');

  const { body } = await modules(hub, 'Dev-01', { key });
  expect(body.map(({ moduleId }: { moduleId: string }) => moduleId)).toEqual(['$edgeAgent', '$edgeHub', 'm1']);
  expect((await modules(hub, 'Dev-01', { key: deriveDeviceKey(SECONDARY, 'Dev-01') })).status).toBe(200);
  expect((await modules(hub, 'Dev-01', { key: GROUP_KEY })).status).toBe(401);

  const { generationId } = hub.registry.getDevice('Dev-01')!;
  await provision(dps, 'Dev-01', { authorization: token('Dev-01', key) });
  expect(hub.registry.getDevice('Dev-01')?.generationId).toBe(generationId);
  expect((await modules(hub, 'Dev-01', { key })).body).toEqual(body);
});

test('a certificate of a group is taken by the hub, also after its renewal; that of a stranger is not', async () => {
  const hub = await startHub();
  const { dps } = await start({ hubs: [hub.link] });
  dps.enrollments.addGroup({ groupId: 'fleet', attestation: { type: 'x509', caPem: [root.pem] } });
  const tls = shown(client('Dev-X'));
  await provision(dps, 'Dev-X', tls);
  expect((await modules(hub, 'Dev-X', { tls })).status).toBe(200);
  expect((await modules(hub, 'Dev-X', { tls: shown(client('Dev-X')) })).status).toBe(200);
  expect((await modules(hub, 'Dev-X', { tls: shown(client('Dev-Y')) })).status).toBe(401);
  expect((await modules(hub, 'Dev-X', {})).status).toBe(401);
});

test('an enrolled certificate is taken by the hub under a device id of another name', async () => {
  const hub = await startHub();
  const { dps } = await start({ hubs: [hub.link] });
  const credential = client('Reg-X');
  dps.enrollments.addIndividual({
    registrationId: 'Reg-X',
    deviceId: 'Dev-A',
    attestation: { type: 'x509', primaryPem: credential.pem },
  });
  await provision(dps, 'Reg-X', shown(credential));
  expect((await modules(hub, 'Dev-A', { tls: shown(credential) })).status).toBe(200);
  expect((await modules(hub, 'Dev-A', { tls: shown(client('Reg-X')) })).status).toBe(401);
});

test('a move to another hub takes the device from the first', async () => {
  const [first, second] = [await startHub(), await startHub()];
  const { dps } = await start({ hubs: [first.link, second.link] });
  const key = deriveDeviceKey(GROUP_KEY, 'Dev-01');
  for (const hub of [first, second]) {
    dps.enrollments.addGroup({ groupId: 'fleet', attestation: keys(GROUP_KEY), hubs: [hub.hostName] });
    const { registrationState } = await provision(dps, 'Dev-01', { authorization: token('Dev-01', key) });
    expect(registrationState.assignedHub).toBe(hub.hostName);
    expect((await modules(hub, 'Dev-01', { key })).status).toBe(200);
  }
  expect((await modules(first, 'Dev-01', { key })).status).toBe(401);
  expect(first.registry.listDevices()).toEqual([]);
});
