import assert from 'node:assert/strict';
import { cloudOf, startIdentityd } from '../cloud/index.ts';
import { type Context, group, type World } from '../runner/index.ts';
import { makeAuthority, verifyChain } from './chain.ts';
import { hasStatus } from './edge-ca.ts';
import type { SentRequest } from './edge-client.ts';
import { Workload } from './workload.ts';
import { type ApplyId, DEVICE, edgeDaemon, QUICK, startServices, writeDevice } from './world.ts';

/** The requests of one step as a line each, in the way of the recording. */
function lines(sent: readonly SentRequest[]): string[] {
  return sent.map(({ daemon, method, path, outcome }) => `${daemon} ${method} ${path} ${outcome}`);
}

/** What each kind of edge CA needs beside the recorded files. */
const PREPARE: Readonly<Partial<Record<ApplyId, (world: World) => Promise<void>>>> = {
  'local-ca': (world) => makeAuthority(world, 'local-ca'),
  files: async (world) => {
    await makeAuthority(world, 'edge-ca');
  },
  'trust-bundle-and-mode': (world) => makeAuthority(world, 'root'),
  est: async (world) => {
    const { cloud } = cloudOf(world);
    const { certPem, keyPem } = await cloud.issue('maker', 'CN=Edge-01');
    await world.file('secrets/boot.pem', certPem);
    await world.file('secrets/boot.key.pem', keyPem, 0o600);
    await world.file('secrets/est-ca.pem', cloud.facts.rootPem);
    const { url } = cloud.facts.est;
    const authority = ['aziot-edged-ca', 'aziot-edged-ca-temp'].map(
      (id) => `[cert_issuance.${id}]\nurl = "${url}/authority"\n`,
    );
    const urls = `[cert_issuance.est.urls]\ndefault = "${url}"\n${authority.join('')}`;
    await world.file('certd/config.d/60-est.toml', urls);
  },
};

/** A device of that kind goes the whole way: start, a module with key and certificate, a second start that changes nothing. */
async function wholeWay(context: Context, id: ApplyId): Promise<void> {
  context.needRoot();
  const world = await context.fresh();
  await writeDevice(world, id);
  await PREPARE[id]?.(world);
  await startServices(world);
  const edge = edgeDaemon(world, QUICK);
  const first = await edge.start();
  assert.equal(first.madeCa, id !== 'files');
  assert.ok(first.agent && hasStatus(first.agent, 200));
  const workload = new Workload(edge.client);
  assert.ok(hasStatus(await workload.sign('$edgeAgent', 'aGVsbG8='), 200));
  const { chain } = await workload.serverCertificate({ moduleId: 'm', genId: '1' }, 'edge-host');
  await verifyChain(world, chain, (await workload.trustBundle()) ?? '');
  const second = await edge.start();
  assert.deepEqual([second.madeCa, second.removedModules, edge.misled], [false, false, 0]);
}

const FIRST_START = [
  'identityd POST /identities/device 200',
  'keyd POST /keypair 200',
  'certd GET /certificates/aziot-edged-ca 400',
  ...Array.from({ length: 2 }, () => [
    'keyd POST /parameters/algorithm 200',
    'keyd POST /parameters/rsa-modulus 200',
    'keyd POST /parameters/rsa-exponent 200',
  ]).flat(),
  'keyd POST /encrypt 200',
  'certd POST /certificates 201',
  'certd GET /certificates/aziot-edged-ca 200',
  'identityd PUT /identities/modules/$edgeAgent 200',
];

export const whole = group('IoT Edge: whole', {
  'EDGE-029': [
    'starts as recorded: the first, the second, one after a reprovision, and one after restarts of the services',
    'reference-run',
    async (context) => {
      context.needRoot();
      const world = await context.fresh();
      await writeDevice(world, 'default');
      await startServices(world);
      const edge = edgeDaemon(world, QUICK);
      const took = async (step: () => Promise<unknown>) => {
        edge.client.sent.length = 0;
        await step();
        return lines(edge.client.sent);
      };
      assert.deepEqual(await took(() => edge.start()), FIRST_START);
      const second = [
        'identityd POST /identities/device 200',
        'keyd POST /keypair 200',
        'certd GET /certificates/aziot-edged-ca 200',
        'certd GET /certificates/aziot-edged-ca 200',
      ];
      assert.deepEqual(await took(() => edge.start()), second);
      assert.deepEqual(await took(() => edge.reprovision()), ['identityd POST /identities/device/reprovision 204']);
      const afterReprovision = [...second, 'identityd PUT /identities/modules/$edgeAgent 200'];
      assert.deepEqual(await took(() => edge.start()), afterReprovision);
      await world.restart('keyd');
      await world.stop('identityd');
      await startIdentityd(world);
      assert.deepEqual(await took(() => edge.start()), second);
    },
  ],
  'EDGE-029/no-agent': [
    'a device that is no edge device: the agent is missing in the hub, 404, and nothing else fails',
    'reference-run',
    async (context) => {
      context.needRoot();
      const world = await context.fresh();
      await writeDevice(world, 'default');
      const { cloud } = cloudOf(world);
      await cloud.removeModule(DEVICE, '$edgeAgent');
      await startServices(world);
      const edge = edgeDaemon(world, QUICK);
      const { agent } = await edge.start();
      assert.ok(agent && hasStatus(agent, 404), JSON.stringify(agent));
      await cloud.putModule(DEVICE, '$edgeAgent');
      const later = await edge.watch();
      assert.ok(later && hasStatus(later, 200), JSON.stringify(later));
    },
  ],
  'EDGE-031': [
    'files of the configuration command with a quickstart CA',
    'reference-run',
    (context) => wholeWay(context, 'quickstart'),
  ],
  'EDGE-031/self-signed': [
    'with a self-signed CA of other length',
    'reference-run',
    (context) => wholeWay(context, 'self-signed'),
  ],
  'EDGE-031/local-ca': ['with a CA by a local CA', 'reference-run', (context) => wholeWay(context, 'local-ca')],
  'EDGE-031/est': ['with a CA by an EST server', 'reference-run', (context) => wholeWay(context, 'est')],
  'EDGE-031/files': ['with a CA given as files', 'reference-run', (context) => wholeWay(context, 'files')],
  'EDGE-031/trust-bundle': [
    'with a trust bundle of the user and an imported master key',
    'reference-run',
    (context) => wholeWay(context, 'trust-bundle-and-mode'),
  ],
});
