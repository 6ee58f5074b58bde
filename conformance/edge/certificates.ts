import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { group, type World } from '../runner/index.ts';
import { makeAuthority, certificates as parts, printed, verifyChain } from './chain.ts';
import { bodyText, CA, hasStatus, requestByHandle, text } from './edge-ca.ts';
import type { EdgeDaemon } from './edge-daemon.ts';
import { Workload } from './workload.ts';
import { edgeDaemon, freshDevice, QUICK, startedEdge, startServices, writeDevice } from './world.ts';

const TEMPORARY = `${CA}-temp`;
const DAY_MS = 86_400_000;

async function readCa(edge: EdgeDaemon): Promise<string> {
  const got = await edge.client.ask('certd', 'GET', `/certificates/${CA}`);
  assert.ok(hasStatus(got, 200), text(got));
  return bodyText(got, 'pem') ?? '';
}

function lifetimeDays(pem: string): number {
  const { validFrom, validTo } = new X509Certificate(pem);
  return Math.round((Date.parse(validTo) - Date.parse(validFrom)) / DAY_MS);
}

/** Whether the key of the edge CA in keyd is that of its certificate: a leaf made with both verifies. */
async function fits(world: World, edge: EdgeDaemon): Promise<void> {
  const workload = new Workload(edge.client);
  const leaf = await workload.serverCertificate({ moduleId: 'fit', genId: '1' }, 'edge-host');
  await verifyChain(world, leaf.chain, (await workload.trustBundle()) ?? '');
}

/**
 * Reads the edge CA from three sides until `restart` is over, however long the machine takes for it. What is not answered meanwhile
 * is asked again; what is answered has to be the certificate, each time, and what is asked after the restart has to be answered.
 */
async function readsWhile(edge: EdgeDaemon, known: string, restart: () => Promise<unknown>): Promise<void> {
  let isOver = false;
  const restarting = restart().finally(() => {
    isOver = true;
  });
  const read = async (pauseMs: number) => {
    for (let isLast = false; !isLast; ) {
      await delay(pauseMs);
      isLast = isOver;
      const got = await edge.client.ask('certd', 'GET', `/certificates/${CA}`);
      const isUnanswered = got.kind === 'refused' || got.kind === 'closed';
      if (isLast || !isUnanswered) assert.ok(hasStatus(got, 200) && bodyText(got, 'pem') === known, text(got));
    }
  };
  await Promise.all([...[1, 30, 100].map(read), restarting]);
}

export const certificates = group('IoT Edge: certificates', {
  'EDGE-021': [
    'a missing certificate is 4xx; the edge CA that is there never fails to be read while services restart',
    'spec',
    async (context) => {
      const world = await freshDevice(context);
      const edge = edgeDaemon(world, QUICK);
      const missing = await edge.client.ask('certd', 'GET', `/certificates/${CA}`);
      assert.ok(missing.kind === 'answer' && missing.status === 400, text(missing));
      const { madeCa } = await edge.start();
      assert.equal(madeCa, true);
      const known = edge.edgeCa;
      const whileRestarting = (restart: () => Promise<unknown>) => readsWhile(edge, known, restart);
      await whileRestarting(() => world.restart('certd'));
      world.running('certd').kill('SIGKILL');
      await world.running('certd').exit(5_000);
      await whileRestarting(() => world.start('certd'));
      await world.stop('keyd');
      await world.file('certd/config.d/60-more.toml', '[[principal]]\nuid = 7000\ncerts = ["x"]\n');
      await whileRestarting(() => world.start('keyd'));
      assert.equal((await edge.start()).madeCa, false);
    },
  ],
  'EDGE-022': [
    'the certificate read is the same until somebody replaces it',
    'reference-run',
    async (context) => {
      const { world, edge } = await startedEdge(context);
      assert.equal(await readCa(edge), edge.edgeCa);
      await new Workload(edge.client).serverCertificate({ moduleId: 'a', genId: '1' }, 'h');
      await world.restart('certd');
      assert.equal(await readCa(edge), edge.edgeCa);
    },
  ],
  'EDGE-023': [
    'certificates of modules: extensions as asked, the odd name too, at most 30 days and no longer than the CA, chain that verifies',
    'reference-run',
    async (context) => {
      const { world, edge } = await startedEdge(context);
      const workload = new Workload(edge.client);
      const bundle = (await workload.trustBundle()) ?? '';
      const device = { hubName: 'hub1.iot.test', gatewayHost: 'hub1.iot.test', deviceId: 'Edge-01' };
      const client = await workload.identityCertificate('temp', device);
      const shown = await printed(world, client.chain, '-ext', 'extendedKeyUsage,subjectAltName');
      assert.match(shown, /TLS Web Client Authentication/);
      assert.match(shown, /DNS:URI: azureiot:\/\/hub1\.iot\.test\/devices\/Edge-01\/modules\/temp/);
      for (const name of ['edge-host', '192.0.2.7']) {
        const { chain, leaf } = await workload.serverCertificate({ moduleId: '$edgeHub', genId: '2' }, name);
        const names = name === 'edge-host' ? 'DNS:edge-host, DNS:edgehub' : 'IP Address:192.0.2.7, DNS:edgehub';
        assert.equal(leaf.subjectAltName, names);
        assert.equal(leaf.subject, `CN=${name}`);
        assert.ok(lifetimeDays(chain) <= 30, `${lifetimeDays(chain)} days`);
        const [, issuer = ''] = parts(chain);
        assert.equal(new X509Certificate(issuer).fingerprint256, new X509Certificate(edge.edgeCa).fingerprint256);
        assert.ok(Date.parse(leaf.validTo) <= Date.parse(new X509Certificate(issuer).validTo));
        await verifyChain(world, chain, bundle);
      }
      await verifyChain(world, client.chain, bundle);
      const order = (await printed(world, client.chain, '-text')).match(/X509v3 [A-Z][A-Za-z ]*(?=:)/g);
      assert.deepEqual(order, [
        'X509v3 Extended Key Usage',
        'X509v3 Subject Alternative Name',
        'X509v3 Subject Key Identifier',
        'X509v3 Authority Key Identifier',
      ]);
    },
  ],
  'EDGE-024': [
    'aziot-edged/module/* covers $ : and /; other ids are refused',
    'reference-run',
    async (context) => {
      const { edge } = await startedEdge(context);
      const pair = await edge.client.ask('keyd', 'GET', `/keypair/${CA}`);
      const csr = await requestByHandle(edge.client, bodyText(pair, 'keyHandle') ?? '', 'x');
      const issuer = { certId: CA, privateKeyHandle: bodyText(pair, 'keyHandle') };
      const issue = (certId: string) => edge.client.ask('certd', 'POST', '/certificates', { certId, csr, issuer });
      for (const id of ['aziot-edged/module/$m:g:server', 'aziot-edged/module/a/b:identity'])
        assert.ok(hasStatus(await issue(id), 201), id);
      for (const id of ['aziot-edged/modules', 'other', 'aziot-edged-trust-bundle']) {
        const refused = await issue(id);
        assert.ok(refused.kind === 'answer' && refused.status === 401, `${id}: ${text(refused)}`);
      }
    },
  ],
  'EDGE-025': [
    'the edge CA signs itself for 90 days and keeps its critical extensions',
    'reference-run',
    async (context) => {
      const { world, edge } = await startedEdge(context);
      const ca = new X509Certificate(edge.edgeCa);
      assert.equal(ca.subject, 'CN=aziot-edge CA Edge-01');
      assert.ok(ca.verify(ca.publicKey));
      assert.equal(lifetimeDays(edge.edgeCa), 90);
      const shown = await printed(world, edge.edgeCa, '-ext', 'keyUsage,basicConstraints');
      assert.match(shown, /Key Usage: critical\s+Digital Signature, Certificate Sign/);
      assert.match(shown, /Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
    },
  ],
  'EDGE-026': [
    'deletion of what is absent is 204; an import shows in the next read and in the bundle, which leaves missing members out',
    'reference-run',
    async (context) => {
      const more = '[preloaded_certs]\naziot-edged-trust-bundle = ["nobody"]\n';
      const world = await freshDevice(context, 'default', { more: { certd: more } });
      const edge = edgeDaemon(world, QUICK);
      const workload = new Workload(edge.client);
      await edge.start();
      assert.ok(hasStatus(await edge.client.ask('certd', 'DELETE', `/certificates/${TEMPORARY}`), 204));
      assert.deepEqual(parts((await workload.trustBundle()) ?? ''), parts(edge.edgeCa));
      const manifest = await workload.manifestTrustBundle();
      assert.ok(manifest.kind === 'answer' && manifest.status >= 400, text(manifest));
      const twice = `${edge.edgeCa}${edge.edgeCa}`;
      assert.ok(hasStatus(await edge.client.ask('certd', 'PUT', `/certificates/${CA}`, { pem: twice }), 201));
      assert.equal(await readCa(edge), twice);
      assert.ok(((await workload.trustBundle()) ?? '').includes(parts(edge.edgeCa)[0] ?? ''));
    },
  ],
  'EDGE-027': [
    'renewal with a new key, with a stale temporary key, and one whose last step fails and is rolled back',
    'reference-run',
    async (context) => {
      const world = await freshDevice(context);
      const edge = edgeDaemon(world, QUICK);
      await edge.start();
      const first = edge.edgeCa;
      assert.deepEqual(await edge.renew({ key: 'rotate' }), { kind: 'renewed' });
      assert.notEqual(edge.edgeCa, first);
      await fits(world, edge);
      const stale = { keyId: TEMPORARY, preferredAlgorithms: 'rsa-2048:*' };
      assert.ok(hasStatus(await edge.client.ask('keyd', 'POST', '/keypair', stale), 200));
      assert.deepEqual(await edge.renew({ key: 'rotate' }), { kind: 'renewed' });
      await fits(world, edge);
      const known = edge.edgeCa;
      const failed = await edge.renew({ key: 'rotate', beforeMove: () => world.stop('keyd') });
      assert.equal(failed.kind === 'failed' && failed.step, 'move', JSON.stringify(failed));
      await world.start('keyd');
      assert.equal(await readCa(edge), known, 'the old certificate is back');
      await fits(world, edge);
      assert.deepEqual(await edge.renew({ key: 'rotate' }), { kind: 'renewed' });
      await fits(world, edge);
    },
  ],
  'EDGE-027/keep-key': [
    'renewal without a new key: by a local CA it succeeds, self-signed the old CA stays usable whatever comes',
    'reference-run',
    async (context) => {
      context.needRoot();
      const alone = await freshDevice(context);
      const own = edgeDaemon(alone, QUICK);
      await own.start();
      const outcome = await own.renew({ key: 'keep' });
      assert.notEqual(outcome.kind, 'ended');
      await fits(alone, own);

      const world = await context.fresh();
      await writeDevice(world, 'local-ca');
      await makeAuthority(world, 'local-ca');
      await startServices(world);
      const edge = edgeDaemon(world, QUICK);
      await edge.start();
      const first = edge.edgeCa;
      // with the key of before, a certificate of the same second differs by its serial number at most
      await delay(1_000);
      assert.deepEqual(await edge.renew({ key: 'keep' }), { kind: 'renewed' });
      assert.notEqual(edge.edgeCa, first);
      await fits(world, edge);
    },
  ],
  'EDGE-028': [
    'issuance ends well before the 30 s of the daemon, and two requests at once for one certificate both end well',
    'spec',
    async (context) => {
      const { world, edge } = await startedEdge(context);
      const workload = new Workload(edge.client);
      const both = await Promise.all([
        workload.serverCertificate({ moduleId: 'two', genId: '1' }, 'h'),
        workload.serverCertificate({ moduleId: 'two', genId: '1' }, 'h'),
      ]);
      const bundle = (await workload.trustBundle()) ?? '';
      for (const { chain } of both) await verifyChain(world, chain, bundle);
    },
  ],
});
