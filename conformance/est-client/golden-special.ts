import assert from 'node:assert/strict';
import { ConnectProxy } from '../cloud/index.ts';
import { type Context, exchange, expectStatus, stringMember, WireConnection, type World } from '../runner/index.ts';
import { type Authorities, CA, DAY_MS, issueHolder, pemOf, privatePem, utf8Name } from './ca.ts';
import type { RecordedScenario } from './recorded.ts';
import { configFor, makeRequest, replay, subjectsOf } from './replay.ts';
import { type Responder, startResponder } from './responder.ts';
import { setUpKeys } from './set-up.ts';

type Special = (context: Context, recorded: RecordedScenario, ca: Authorities) => Promise<void>;

const POST = { method: 'POST', target: '/certificates?api-version=2020-09-01' };
const DEVICE = ['O=Test,CN=from the csr', 'CN=TEST issuing', 'CN=TEST root'];

interface Started {
  readonly world: World;
  readonly responder: Responder;
}

/** keyd and certd as recorded, with a server of the recorded behaviour. */
async function start(
  context: Context,
  recorded: RecordedScenario,
  ca: Authorities,
  env: Readonly<Record<string, string>> = {},
): Promise<Started> {
  const responder = await startResponder(ca, recorded.server ?? { auth: 'basic' });
  const world = await context.fresh();
  world.onDispose(() => responder.close());
  await setUpKeys(world, recorded.id, ca);
  await world.configure('certd', { main: configFor(recorded, responder) });
  await world.start('certd', { env });
  return { world, responder };
}

/** Through a proxy whose address, with what stands before its `@`, is in an environment variable. */
const throughProxy =
  (variable: string, user: string): Special =>
  async (context, recorded, ca) => {
    const proxy = await ConnectProxy.start();
    try {
      const url = `http://${user}@127.0.0.1:${proxy.port}`;
      const { world, responder } = await start(context, recorded, ca, { [variable]: url });
      await replay(world, recorded, { responder, own: {} });
      const [wanted = []] = recorded.proxySaw ?? [];
      const credential = wanted.find((line) => line.startsWith('proxy-authorization: '));
      // one connection is kept for both requests
      assert.equal(proxy.seen.length, 1);
      const [first = '', ...headers] = proxy.seen[0] ?? [];
      assert.equal(first, `CONNECT 127.0.0.1:${responder.port} HTTP/1.1`);
      assert.ok(
        credential && headers.map((line) => line.replace(/^[^:]+/, (name) => name.toLowerCase())).includes(credential),
      );
      assert.doesNotMatch(world.running('certd').log, /p%2F|p\/|dTpwLw/, 'the log has the password');
    } finally {
      await proxy.stop();
    }
  };

/** Scenarios with a course of their own. */
export const SPECIAL: Readonly<Record<string, Special>> = {
  proxy: throughProxy('HTTPS_PROXY', 'u:p%2F'),
  'proxy-lower-case-variable': throughProxy('https_proxy', 'u'),

  // EST-043, strict: NO_PROXY has an effect; no proxy listens there
  'no-proxy-var-ignored': async (context, recorded, ca) => {
    const env = { HTTPS_PROXY: 'http://127.0.0.1:1', NO_PROXY: '127.0.0.1' };
    const { world, responder } = await start(context, recorded, ca, env);
    await replay(world, recorded, {
      responder,
      own: { answers: [201], after: { 'device-id': DEVICE }, requests: 'any' },
    });
    assert.equal(responder.seen.length, 2);
  },

  // EST-044, strict: another id is served while the server is silent; the caller hangs up, and the next request is served
  hang: async (context, recorded, ca) => {
    const server = { auth: 'basic', quirks: { simpleenroll: { hang: true, times: 1 } } } as const;
    const { world, responder } = await start(context, { ...recorded, server }, ca);
    const connection = await WireConnection.open(world.socket('certd'));
    const body = JSON.stringify({ certId: 'device-id', csr: await makeRequest('ec') });
    connection.write(
      `POST ${POST.target} HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    const end = performance.now() + 10_000;
    while (!responder.seen.some(({ request }) => request.endsWith('/simpleenroll'))) {
      assert.ok(performance.now() < end, 'the enrolment did not reach the server');
      await new Promise((done) => setTimeout(done, 20));
    }
    const get = { method: 'GET', target: '/certificates/est-ca?api-version=2020-09-01' };
    expectStatus(await exchange(world.socket('certd'), 0, get, 3_000), 200);
    connection.close();
    await replay(world, recorded, { responder, own: { requests: 'kinds' } });
  },

  'issuer-given-for-est-id': async (context, recorded, ca) => {
    const { world, responder } = await start(context, recorded, ca);
    const name = utf8Name([{ CN: 'local CA' }]);
    const issuer = await issueHolder({ subject: name, extensions: CA, fromMs: -60_000, toMs: DAY_MS * 365 });
    await world.file('pre/local.key', privatePem(issuer), 0o600);
    await world.file('keyd/config.d/50.toml', '[preloaded_keys]\nlocal-ca = "file://@ROOT@/pre/local.key"\n');
    await world.file('pre/local.pem', pemOf(issuer.certificate));
    await world.file('certd/config.d/50.toml', '[preloaded_certs]\nlocal-ca = "file://@ROOT@/pre/local.pem"\n');
    for (const daemon of ['keyd', 'certd'] as const) await world.restart(daemon);
    const handle = { method: 'GET', target: '/keypair/local-ca?api-version=2021-05-01' };
    const { keyHandle } = expectStatus(await exchange(world.socket('keyd'), 0, handle), 200);
    const given = { certId: 'local-ca', privateKeyHandle: keyHandle };
    const body = { certId: 'device-id', csr: await makeRequest('ec'), issuer: given };
    const issued = expectStatus(await exchange(world.socket('certd'), 0, { ...POST, body }), 201);
    const wanted = recorded.answers?.[0]?.certificates?.chainSubjects;
    assert.deepEqual(subjectsOf(stringMember(issued, 'pem')), wanted);
    assert.deepEqual(responder.seen, [], 'the EST server was asked');
  },
};
