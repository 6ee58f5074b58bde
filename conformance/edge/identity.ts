import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { cloudOf, cutAll, leadAll, startIdentityd } from '../cloud/index.ts';
import { type Context, group, WireConnection, type World } from '../runner/index.ts';
import { bodyText, hasStatus, text } from './edge-ca.ts';
import { type EdgeResult, edgeRequest } from './edge-client.ts';
import { moduleKeyHandle, Workload } from './workload.ts';
import {
  DEVICE,
  DEVICE_KEY,
  EDGE,
  edgeDaemon,
  freshDevice,
  QUICK,
  startedEdge,
  startServices,
  writeDevice,
} from './world.ts';

/** A registration at DPS in place of the device that the configuration names. */
const DPS = `[provisioning]
source = "dps"
global_endpoint = "https://dps.iot.test/"
scope_id = "0ne00Test01"
[provisioning.attestation]
method = "symmetric_key"
registration_id = "${DEVICE}"
symmetric_key = "device-id"
`;
const ASK_DEVICE = edgeRequest('identityd', 'POST', '/identities/device?api-version=2020-09-01', { type: 'aziot' });
/** Long enough to see that an answer which would come at once does not come. */
const WHILE_MS = 700;

function ok(result: EdgeResult, status = 200): EdgeResult {
  assert.ok(hasStatus(result, status), text(result));
  return result;
}

function specOf(result: EdgeResult): Record<string, unknown> {
  return result.kind === 'answer' ? { ...(result.body['spec'] as Record<string, unknown>) } : {};
}

async function enrolledAtDps(world: World): Promise<void> {
  await cloudOf(world).cloud.enrol(DEVICE, {
    edge: true,
    attestation: { type: 'symmetricKey', primaryKey: DEVICE_KEY, secondaryKey: DEVICE_KEY },
  });
}

/** A device that registers at DPS; its services are not started. */
async function dpsDevice(context: Context): Promise<World> {
  context.needRoot();
  const world = await context.fresh();
  const edit = (content: string) => content.replace(/\[provisioning\][\s\S]*?(?=\[\[principal\]\])/, DPS);
  await writeDevice(world, 'default', { edit });
  await enrolledAtDps(world);
  return world;
}

/** Asks for the device identity on an open connection; the answer, should it come. */
async function heldRequest(world: World): Promise<WireConnection> {
  const connection = await WireConnection.open(world.socket('identityd'), EDGE);
  connection.write(ASK_DEVICE);
  await assert.rejects(connection.answer('POST', WHILE_MS), /no complete answer/, 'the request is held');
  return connection;
}

async function generations(world: World): Promise<Record<string, string>> {
  const modules = await cloudOf(world).cloud.modules(DEVICE);
  return Object.fromEntries([...modules].map(([id, { generationId }]) => [id, generationId]));
}

export const identity = group('IoT Edge: identity', {
  'EDGE-009': [
    'a principal without idtype may read the device and manage modules',
    'reference-run',
    async (context) => {
      const { edge } = await startedEdge(context);
      ok(await edge.client.ask('identityd', 'POST', '/identities/device', { type: 'aziot' }));
      ok(await edge.createIdentity('nine'));
      ok(await edge.getIdentity('nine'));
      ok(await edge.updateIdentity('nine'));
      ok(await edge.listIdentities());
      ok(await edge.deleteIdentity('nine'), 204);
      ok(await edge.client.ask('identityd', 'POST', '/identities/device/reprovision', { type: 'aziot' }), 204);
    },
  ],
  'EDGE-010': [
    'the device identity names hub, gateway and device',
    'reference-run',
    async (context) => {
      const { edge } = await startedEdge(context);
      const device = ok(await edge.client.ask('identityd', 'POST', '/identities/device', { type: 'aziot' }));
      const { hubName, gatewayHost, deviceId } = specOf(device);
      assert.deepEqual([hubName, gatewayHost, deviceId], ['hub1.iot.test', 'hub1.iot.test', DEVICE]);
    },
  ],
  'EDGE-010/gateway': [
    'below a gateway its name is given, and the hub is reached through it alone',
    'reference-run',
    async (context) => {
      const world = await freshDevice(context, 'nested', {
        edit: (content) => content.replace('gw.iot.test', 'parent.iot.test'),
      });
      const { cloud, proxy } = cloudOf(world);
      const edge = edgeDaemon(world, QUICK);
      const { device, agent } = await edge.start();
      assert.deepEqual([device.hubName, device.gatewayHost], ['hub1.iot.test', 'parent.iot.test']);
      assert.ok(agent);
      ok(agent);
      assert.equal(specOf(agent)['gatewayHost'], 'parent.iot.test');
      assert.deepEqual(new Set((await cloud.journal()).map(({ service }) => service)), new Set(['gateway']));
      assert.ok(proxy.seen.every(([line]) => line === 'CONNECT parent.iot.test:443 HTTP/1.1'));
      // a parent that cannot reach the cloud itself says so in its own words
      const outage = {
        status: 500,
        body: '{"errorMessage":"upstream is away","networkError":true}',
        headers: { 'content-type': 'application/json' },
      };
      await cloud.fault('gateway', { kind: 'status', ...outage });
      await world.stop('identityd');
      await startIdentityd(world);
      const again = edgeDaemon(world, QUICK);
      again.containers.add('edgeAgent');
      await again.start();
      assert.equal(again.misled, 0);
      ok(await again.getIdentity('$edgeAgent'));
    },
  ],
  'EDGE-011': [
    'not provisioned yet: the request is held until there is a device; at a stop the socket goes first',
    'spec',
    async (context) => {
      const world = await dpsDevice(context);
      const link = cloudOf(world);
      cutAll(link);
      await startServices(world);
      const held = await heldRequest(world);
      // a second caller is held as well, and others are served
      const other = await heldRequest(world);
      other.close();
      await world.stop('identityd');
      assert.ok(await held.closesWithin(5_000));
      await assert.rejects(WireConnection.open(world.socket('identityd'), EDGE), 'the retry is refused');
      leadAll(link);
      const edge = edgeDaemon(world, QUICK);
      const starting = edge.start();
      await startIdentityd(world);
      const outcome = await starting;
      assert.equal(edge.misled, 0, 'nothing was taken for a reason to provision anew');
      assert.ok(outcome.agent && hasStatus(outcome.agent, 200));
    },
  ],
  'EDGE-011/refused': [
    'DPS refuses the device: the request is held, and answered once the enrolment is there',
    'spec',
    async (context) => {
      const world = await dpsDevice(context);
      const { cloud } = cloudOf(world);
      await cloud.removeEnrolment(DEVICE);
      await startServices(world);
      const held = await heldRequest(world);
      await enrolledAtDps(world);
      const answer = await held.answer('POST', 30_000);
      assert.ok(!answer.closed && answer.status === 200, JSON.stringify(answer));
      held.close();
    },
  ],
  'EDGE-011/offline': [
    'a known device is answered while DPS and hub are away, after restarts in any order, and while keyd is away it is held',
    'spec',
    async (context) => {
      const world = await dpsDevice(context);
      const link = cloudOf(world);
      await startServices(world);
      const edge = edgeDaemon(world, QUICK);
      await edge.start();
      const before = await generations(world);
      cutAll(link);
      for (const order of [['keyd', 'certd', 'identityd'] as const, ['identityd', 'certd', 'keyd'] as const]) {
        for (const daemon of ['identityd', 'certd', 'keyd'] as const) await world.stop(daemon);
        const restarted = edge.start();
        for (const daemon of order) {
          if (daemon === 'identityd') await startIdentityd(world);
          else await world.start(daemon);
        }
        const outcome = await restarted;
        assert.deepEqual([outcome.removedModules, outcome.madeCa, edge.misled], [false, false, 0], order.join(', '));
      }
      await world.stop('keyd');
      const held = await heldRequest(world);
      await world.start('keyd');
      const answer = await held.answer('POST', 30_000);
      assert.ok(!answer.closed && answer.status === 200, JSON.stringify(answer));
      held.close();
      leadAll(link);
      assert.deepEqual(await generations(world), before);
    },
  ],
  'EDGE-011/reload': [
    'configuration changes, broken ones too, and a reprovision that fails never mislead the daemon',
    'spec',
    async (context) => {
      const world = await dpsDevice(context);
      const link = cloudOf(world);
      await startServices(world);
      const edge = edgeDaemon(world, QUICK);
      await edge.start();
      await world.file('identityd/config.d/60-broken.toml', '[[principal]\n');
      cutAll(link);
      const failed = await edge.client.ask('identityd', 'POST', '/identities/device/reprovision', { type: 'aziot' });
      assert.ok(failed.kind === 'answer' && failed.status === 404, text(failed));
      for (let times = 0; times < 10; times += 1)
        ok(await edge.client.ask('identityd', 'POST', '/identities/device', { type: 'aziot' }));
      const outcome = await edge.start();
      assert.deepEqual([outcome.removedModules, edge.misled], [false, 0]);
    },
  ],
  'EDGE-012': [
    'every module answer is whole, and one odd module never spoils the list',
    'reference-run',
    async (context) => {
      const { world, edge } = await startedEdge(context);
      const { cloud } = cloudOf(world);
      await cloud.putModule(DEVICE, 'odd', { authentication: { type: 'certificateAuthority' } });
      // the world is shared: the odd module goes, whatever comes of the list
      const listed = edge.listIdentities().finally(() => cloud.removeModule(DEVICE, 'odd'));
      const list = ok(await listed);
      const identities = list.kind === 'answer' ? (list.body['identities'] as { spec: Record<string, unknown> }[]) : [];
      assert.ok(identities.some(({ spec }) => spec['moduleId'] === 'odd'));
      for (const { spec } of identities)
        for (const name of ['moduleId', 'genId', 'gatewayHost', 'hubName', 'deviceId'])
          assert.equal(typeof spec[name], 'string', `${name} in ${JSON.stringify(spec)}`);
      const agent = ok(await edge.getIdentity('$edgeAgent'));
      assert.equal((specOf(agent)['auth'] as { type: string }).type, 'sas');
      assert.equal(typeof moduleKeyHandle(agent), 'string');
    },
  ],
  'EDGE-013': [
    'an update of $edgeAgent keeps its generation id; without one in the hub it is 404',
    'reference-run',
    async (context) => {
      const { world, edge } = await startedEdge(context);
      const { cloud } = cloudOf(world);
      const before = (await cloud.modules(DEVICE)).get('$edgeAgent')?.generationId;
      assert.equal(specOf(ok(await edge.updateIdentity('$edgeAgent')))['genId'], before);
      ok(await edge.updateIdentity('not-there'), 404);
    },
  ],
  'EDGE-014': [
    'the module signs through its handle with the key that the hub holds, before and after restarts',
    'reference-run',
    async (context) => {
      const { world, edge } = await startedEdge(context);
      ok(await edge.createIdentity('signer'));
      const { cloud } = cloudOf(world);
      const key = (await cloud.modules(DEVICE)).get('signer')?.authentication.primaryKey ?? '';
      const wanted = createHmac('sha256', Buffer.from(key, 'base64')).update('hello').digest('base64');
      const workload = new Workload(edge.client);
      const signed = async () => bodyText(ok(await workload.sign('signer', 'aGVsbG8=')), 'signature');
      assert.equal(await signed(), wanted);
      ok(await workload.sign('signer', Buffer.alloc(65_536).toString('base64')));
      ok(await workload.sign('signer', ''));
      await world.restart('keyd');
      assert.equal(await signed(), wanted);
      await world.stop('identityd');
      await startIdentityd(world);
      assert.equal(await signed(), wanted);
    },
  ],
  'EDGE-015': [
    'after a reprovision the device is there at once, and generation ids are those of before',
    'spec',
    async (context) => {
      const world = await dpsDevice(context);
      await startServices(world);
      const edge = edgeDaemon(world, QUICK);
      await edge.start();
      ok(await edge.createIdentity('kept'));
      const before = await generations(world);
      ok(await edge.reprovision(), 204);
      const outcome = await edge.start();
      assert.equal(outcome.removedModules, true, 'the daemon itself removes containers after a reprovision');
      assert.equal(edge.misled, 0);
      assert.deepEqual(await generations(world), before);
      assert.equal(specOf(ok(await edge.getIdentity('kept')))['genId'], before['kept']);
    },
  ],
  'EDGE-015/always': [
    'the mode that reprovisions at every start gets its 204 and exits when DPS fails',
    'reference-run',
    async (context) => {
      const world = await dpsDevice(context);
      await startServices(world);
      const edge = edgeDaemon(world, QUICK);
      await edge.start('always');
      cutAll(cloudOf(world));
      await assert.rejects(edge.start('always'), /reprovisioning failed/);
      const plain = edgeDaemon(world, QUICK);
      // a start would ask again and again until there is a device
      ok(await plain.client.ask('identityd', 'POST', '/identities/device', { type: 'aziot' }));
      await plain.start();
      assert.equal(plain.misled, 0, 'the device that was there is still there');
    },
  ],
  'EDGE-016': [
    'a deleted module is gone: GET 404, second DELETE an error',
    'reference-run',
    async (context) => {
      const { edge } = await startedEdge(context);
      ok(await edge.createIdentity('gone'));
      ok(await edge.deleteIdentity('gone'), 204);
      ok(await edge.getIdentity('gone'), 404);
      ok(await edge.deleteIdentity('gone'), 404);
    },
  ],
});
