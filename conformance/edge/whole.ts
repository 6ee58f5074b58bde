import assert from 'node:assert/strict';
import { cloudOf, startIdentityd } from '../cloud/index.ts';
import { type Context, type Daemon, group, referenceFromEnv, type World } from '../runner/index.ts';
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

const LATER_START = [
  'identityd POST /identities/device 200',
  'keyd POST /keypair 200',
  'certd GET /certificates/aziot-edged-ca 200',
  'certd GET /certificates/aziot-edged-ca 200',
];

/** The recorded phases in a world whose daemons are not started yet. */
async function startsAsRecorded(world: World): Promise<void> {
  await writeDevice(world, 'default');
  await startServices(world);
  const edge = edgeDaemon(world, QUICK);
  const took = async (step: () => Promise<unknown>) => {
    edge.client.sent.length = 0;
    await step();
    return lines(edge.client.sent);
  };
  assert.deepEqual(await took(() => edge.start()), FIRST_START);
  assert.deepEqual(await took(() => edge.start()), LATER_START);
  assert.deepEqual(await took(() => edge.reprovision()), ['identityd POST /identities/device/reprovision 204']);
  const afterReprovision = [...LATER_START, 'identityd PUT /identities/modules/$edgeAgent 200'];
  assert.deepEqual(await took(() => edge.start()), afterReprovision);
  await world.restart('keyd');
  await world.stop('identityd');
  await startIdentityd(world);
  assert.deepEqual(await took(() => edge.start()), LATER_START);
}

/** The recorded phases with some of the services from the reference and the others from what is under test. */
async function mixedWith(context: Context, ...theirs: readonly Daemon[]): Promise<void> {
  if (context.launch.driver === 'aziotd-rust') context.leaveOut('the daemons under test are those of the reference');
  const reference = referenceFromEnv();
  if (!reference) context.leaveOut('needs the binaries of the reference beside the daemons under test: --rust-dir DIR');
  context.needRoot();
  await startsAsRecorded(await context.fresh(Object.fromEntries(theirs.map((daemon) => [daemon, reference]))));
}

export const whole = group('IoT Edge: whole', {
  'EDGE-029': [
    'starts as recorded: the first, the second, one after a reprovision, and one after restarts of the services',
    'reference-run',
    async (context) => {
      context.needRoot();
      await startsAsRecorded(await context.fresh());
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
  'EDGE-030/keyd': ['starts as recorded with keyd of the reference', 'spec', (context) => mixedWith(context, 'keyd')],
  'EDGE-030/certd': [
    'starts as recorded with certd of the reference',
    'spec',
    (context) => mixedWith(context, 'certd'),
  ],
  'EDGE-030/identityd': [
    'starts as recorded with identityd of the reference',
    'spec',
    (context) => mixedWith(context, 'identityd'),
  ],
  'EDGE-030/keyd-certd': [
    'starts as recorded with keyd and certd of the reference',
    'spec',
    (context) => mixedWith(context, 'keyd', 'certd'),
  ],
  'EDGE-030/keyd-identityd': [
    'starts as recorded with keyd and identityd of the reference',
    'spec',
    (context) => mixedWith(context, 'keyd', 'identityd'),
  ],
  'EDGE-030/certd-identityd': [
    'starts as recorded with certd and identityd of the reference',
    'spec',
    (context) => mixedWith(context, 'certd', 'identityd'),
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
