import assert from 'node:assert/strict';
import { cloudOf } from '../cloud/index.ts';
import { exchange, expectError, expectStatus, group, header, WireConnection } from '../runner/index.ts';
import { bodyText, hasStatus } from './edge-ca.ts';
import { type EdgeResult, edgeRequest, engineRequest } from './edge-client.ts';
import { Workload } from './workload.ts';
import { DEVICE, EDGE, edgeDaemon, freshDevice, QUICK, STRANGER, startedEdge } from './world.ts';

const KEY = { keyId: 'iotedge_master_encryption_id', keyBytes: null, usage: 'encrypt' };

export const transport = group('IoT Edge: transport', {
  'EDGE-001': [
    '1,000 connections of one request each, and 60 module calls by the locks of the daemon, leave no slot taken',
    'reference-run',
    async (context) => {
      const { world, edge } = await startedEdge(context);
      for (let round = 0; round < 100; round += 1)
        await Promise.all(
          Array.from({ length: 10 }, async () => {
            const request = { method: 'GET', target: '/certificates/aziot-edged-ca?api-version=2020-09-01' };
            expectStatus(await exchange(world.socket('certd'), EDGE, request), 200);
          }),
        );
      const workload = new Workload(edge.client);
      const made = await edge.createIdentity('many');
      assert.ok(hasStatus(made, 200), JSON.stringify(made));
      // the daemon has a client each for workload and management, and uses it under a lock (edge-runtime.md 2.3)
      const inLine = async (call: () => Promise<EdgeResult>) => {
        for (let done = 0; done < 30; done += 1) assert.ok(hasStatus(await call(), 200));
      };
      await Promise.all([inLine(() => edge.getIdentity('many')), inLine(() => workload.sign('many', 'aGVsbG8='))]);
    },
  ],
  'EDGE-001/at-once': [
    '60 module calls without those locks: what is above the limit of a user waits',
    'spec',
    async (context) => {
      const { edge } = await startedEdge(context);
      const workload = new Workload(edge.client);
      const made = await edge.createIdentity('many-at-once');
      assert.ok(hasStatus(made, 200), JSON.stringify(made));
      const calls = Array.from({ length: 60 }, (_, at) =>
        at % 2 ? edge.getIdentity('many-at-once') : workload.sign('many-at-once', 'aGVsbG8='),
      );
      for (const result of await Promise.all(calls)) assert.ok(hasStatus(result, 200), JSON.stringify(result));
    },
  ],
  'EDGE-002': [
    'any host, or none; GET and DELETE without body and length',
    'reference-run',
    async (context) => {
      const { world, edge } = await startedEdge(context);
      const get = { method: 'GET', target: '/certificates/aziot-edged-ca?api-version=2020-09-01' };
      for (const host of ['certd.sock', 'else', null])
        expectStatus(await exchange(world.socket('certd'), EDGE, { ...get, headers: { host } }), 200);
      await edge.createIdentity('short');
      const gone = await edge.deleteIdentity('short');
      assert.ok(hasStatus(gone, 204), JSON.stringify(gone));
    },
  ],
  'EDGE-003': [
    '2020-09-01 on every route that the daemon uses, and 2021-05-01 on keyd for its engine',
    'reference-run',
    async (context) => {
      const edge = edgeDaemon(await freshDevice(context), QUICK);
      const makePair = async (keyId: string) => {
        const pair = await edge.client.ask('keyd', 'POST', '/keypair', { keyId, preferredAlgorithms: 'rsa-2048:*' });
        assert.ok(hasStatus(pair, 200), JSON.stringify(pair));
        return bodyText(pair, 'keyHandle') ?? '';
      };
      await makePair('aziot-edged-ca');
      const keyHandle = await makePair('aziot-edged-ca-temp');
      assert.equal(await edge.client.engine('/parameters/algorithm', { keyHandle }, 'value'), 'RSA');
      const removed = await edge.client.ask('keyd', 'DELETE', '/keypair', { keyHandle });
      assert.ok(hasStatus(removed, 204), JSON.stringify(removed));
      await makePair('aziot-edged-ca-temp');
      const moved = await edge.client.ask('keyd', 'POST', '/keypair/aziot-edged-ca', { from: 'aziot-edged-ca-temp' });
      assert.ok(hasStatus(moved, 204), JSON.stringify(moved));
    },
  ],
  'EDGE-004': [
    'an optional member that is null is absent',
    'reference-run',
    async (context) => {
      const { world } = await startedEdge(context);
      const post = (body: unknown) =>
        exchange(world.socket('keyd'), EDGE, { method: 'POST', target: '/key?api-version=2020-09-01', body });
      expectStatus(await post(KEY), 200);
      expectStatus(await post({ keyId: KEY.keyId, usage: 'encrypt' }), 200);
    },
  ],
  'EDGE-005': [
    'raw $ + @ = : , in paths; / : $ in certificate ids',
    'reference-run',
    async (context) => {
      const { world, edge } = await startedEdge(context);
      for (const id of ['o+d@m=1', 'c:d,e']) {
        const made = await edge.createIdentity(id);
        assert.ok(hasStatus(made, 200), JSON.stringify(made));
        const got = await edge.getIdentity(id);
        assert.ok(hasStatus(got, 200), JSON.stringify(got));
        assert.ok((await cloudOf(world).cloud.modules(DEVICE)).has(id), `the hub has ${id}`);
      }
      assert.ok(hasStatus(await edge.getIdentity('$edgeAgent'), 200));
      const issued = await new Workload(edge.client).serverCertificate({ moduleId: '$edgeHub', genId: '7:8/9' }, 'h');
      const path = `/certificates/${encodeURIComponent(issued.certId)}`;
      assert.ok(hasStatus(await edge.client.ask('certd', 'GET', path), 200));
    },
  ],
  'EDGE-006': [
    'statuses are exact, and an error is JSON with a message',
    'reference-run',
    async (context) => {
      const { world } = await startedEdge(context);
      const refused = { method: 'GET', target: '/certificates/nobodys?api-version=2020-09-01' };
      expectError(await exchange(world.socket('certd'), EDGE, refused), [400, 401]);
      const missing = { method: 'GET', target: '/identities/modules/ghost?api-version=2020-09-01&type=aziot' };
      expectError(await exchange(world.socket('identityd'), EDGE, missing), 404);
      const reprovision = {
        method: 'POST',
        target: '/identities/device/reprovision?api-version=2020-09-01',
        body: { type: 'aziot' },
      };
      const done = await exchange(world.socket('identityd'), EDGE, reprovision);
      assert.ok(!done.closed && done.status === 204 && done.body === '', JSON.stringify(done));
    },
  ],
  'EDGE-007': [
    'answers to the engine: head in one read and 512 bytes, exact type, length given',
    'reference-run',
    async (context) => {
      const { world, edge } = await startedEdge(context);
      const pair = await edge.client.ask('keyd', 'GET', '/keypair/aziot-edged-ca');
      const keyHandle = pair.kind === 'answer' ? String(pair.body['keyHandle']) : '';
      for (const path of ['/parameters/algorithm', '/parameters/rsa-modulus', '/parameters/nosuch']) {
        const connection = await WireConnection.open(world.socket('keyd'), EDGE);
        connection.write(engineRequest(path, { keyHandle }));
        const answer = await connection.answer('POST');
        connection.close();
        assert.ok(!answer.closed);
        assert.ok(answer.oneWrite && answer.headBytes <= 512, `${path}: ${answer.headBytes} bytes of head`);
        assert.equal(header(answer, 'content-type'), 'application/json');
        assert.equal(Number(header(answer, 'content-length')), Buffer.byteLength(answer.body));
      }
    },
  ],
  'EDGE-008': [
    'a POST that comes twice does no harm',
    'spec',
    async (context) => {
      const { world, edge } = await startedEdge(context);
      const { cloud } = cloudOf(world);
      const twice = { keyId: 'aziot-edged-ca-temp', preferredAlgorithms: 'rsa-2048:*' };
      const [one, two] = await Promise.all([
        edge.client.ask('keyd', 'POST', '/keypair', twice),
        edge.client.ask('keyd', 'POST', '/keypair', twice),
      ]);
      assert.ok(one.kind === 'answer' && two.kind === 'answer');
      const modulus = (keyHandle: unknown) => edge.client.engine('/parameters/rsa-modulus', { keyHandle }, 'value');
      assert.equal(await modulus(one.body['keyHandle']), await modulus(two.body['keyHandle']));
      await edge.client.ask('keyd', 'DELETE', '/keypair', { keyHandle: one.body['keyHandle'] });

      const before = await cloud.modules(DEVICE);
      const reprovision = () =>
        edge.client.ask('identityd', 'POST', '/identities/device/reprovision', { type: 'aziot' });
      for (const result of await Promise.all([reprovision(), reprovision()]))
        assert.ok(hasStatus(result, 204), JSON.stringify(result));
      const generations = (modules: typeof before) => [...modules].map(([id, { generationId }]) => [id, generationId]);
      assert.deepEqual(generations(await cloud.modules(DEVICE)), generations(before));
    },
  ],
});

// what the stranger is refused belongs to the requests themselves: the same bytes, another uid
export const refusals = group('IoT Edge: another user', {
  'EDGE-009/stranger': [
    'a user that is not listed gets 401 for every identity request of the daemon',
    'reference-run',
    async (context) => {
      const { world } = await startedEdge(context);
      const requests: readonly (readonly [string, string, object?])[] = [
        ['POST', '/identities/device?api-version=2020-09-01', { type: 'aziot' }],
        ['PUT', '/identities/modules/$edgeAgent?api-version=2020-09-01&type=aziot', { type: 'aziot', moduleId: 'm' }],
        ['GET', '/identities/modules?api-version=2020-09-01&type=aziot'],
        ['POST', '/identities/device/reprovision?api-version=2020-09-01', { type: 'aziot' }],
      ];
      for (const [method, target, body] of requests) {
        const connection = await WireConnection.open(world.socket('identityd'), STRANGER);
        connection.write(edgeRequest('identityd', method, target, body));
        expectError(await connection.answer(method), 401, 'authorization error');
        connection.close();
      }
    },
  ],
});
