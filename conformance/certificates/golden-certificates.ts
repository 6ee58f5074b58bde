import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readdir, readFile, rm, stat, symlink } from 'node:fs/promises';
import { certificateFile } from '../est-client/index.ts';
import { importIntoToken, prepareToken, tokenMissing } from '../keys/index.ts';
import {
  answered,
  exchange,
  expectError,
  expectStatus,
  jsonOf,
  type RecordedExchange,
  type Replay,
  type Scenario,
  stringMember,
  type WireAnswer,
  WireConnection,
  type WireRequest,
  type World,
} from '../runner/index.ts';
import { bodyWithheld, twelveConnections } from '../transport/index.ts';
import { Caller } from './caller.ts';
import {
  AUTHORITY_TEXTS,
  type GoldenAuthorities,
  makeGoldenAuthorities,
  OWN_REQUESTS_OF,
} from './golden-authorities.ts';
import { blocksOf, describeLeaf, type LeafDescription } from './leaf.ts';
import { makeCa, makeCsr } from './world.ts';

type Config = Readonly<Record<string, string>>;

/** Config files of a recorded set-up: `config.toml`, and the rest below `config.d`. */
function parts(config: unknown): { main: string; dropIns: Record<string, string> } {
  const { 'config.toml': main = '', ...dropIns } = config as Config;
  return { main, dropIns };
}

async function writePreloaded(world: World): Promise<void> {
  await makeCa(world, 'one', '/CN=root CA');
  await makeCa(world, 'other', '/CN=TEST other');
  const read = (name: string) => readFileSync(world.path('pre', `${name}.pem`), 'utf8');
  await world.file('pre/with space.pem', 'spaced');
  await world.file('pre/del.pem', read('other'));
  await world.file('pre/two.pem', read('other').trimEnd());
  await world.file('pre/der.cer', new X509Certificate(read('one')).raw);
}

const FILE = new URL('../../fixtures/golden/certificates.json', import.meta.url);

function firstExchanges(): readonly (RecordedExchange & { readonly config?: unknown })[] {
  return (JSON.parse(readFileSync(FILE, 'utf8')) as { exchanges: RecordedExchange[] }).exchanges;
}

function firstConfig(): { main: string; dropIns: Record<string, string> } {
  return parts(firstExchanges().find(({ id }) => id === 'config')?.config ?? {});
}

const madeIn = new WeakMap<World, GoldenAuthorities>();

function authoritiesOf(world: World): GoldenAuthorities {
  const made = madeIn.get(world);
  assert.ok(made, 'the authorities of this world were not made');
  return made;
}

/** keyd with the keys of the authorities, certd with the recorded configuration. */
async function build(world: World): Promise<void> {
  await writePreloaded(world);
  const made = await makeGoldenAuthorities(world);
  madeIn.set(world, made);
  const preloaded = Object.entries(made.keys).map(([id, path]) => `${id} = "file://${path}"\n`);
  const keyd = `[aziot_keys]\nhomedir_path = "@ROOT@/keyd/home"\n[preloaded_keys]\n${preloaded.join('')}`;
  await startBoth(world, keyd);
}

async function startBoth(world: World, keyd: string): Promise<void> {
  await world.configure('keyd', { main: keyd });
  await world.configure('certd', firstConfig());
  await world.start('keyd');
  await world.start('certd');
}

/** The same with all of these keys in a token. */
async function buildOnToken(world: World): Promise<void> {
  await writePreloaded(world);
  const made = await makeGoldenAuthorities(world);
  madeIn.set(world, made);
  const lines = await prepareToken(world);
  const preloaded: string[] = [];
  for (const [id, path] of Object.entries(made.keys))
    preloaded.push(`${id} = "${await importIntoToken(world, id, path)}"\n`);
  await startBoth(
    world,
    `[aziot_keys]\nhomedir_path = "@ROOT@/keyd/home"\n${lines}\n[preloaded_keys]\n${preloaded.join('')}`,
  );
}

/** A start with a configuration: it runs, or ends with exit 1. certd alone is restarted; the next such step does it again. */
async function startWith({ world }: Replay, { facts }: RecordedExchange): Promise<void> {
  const result = facts['result'] as { exit?: number; started?: boolean };
  await world.stop('certd');
  await world.configure('certd', parts(facts['config']));
  if (result.exit === undefined) {
    await world.start('certd');
    expectError(await exchange(world.socket('certd'), 0, { method: 'GET', target: '/x' }), 400);
  } else {
    const ended = await world.startExpectingExit('certd');
    assert.equal(ended.code, 1, ended.log);
  }
}

const GET_LOADED = { method: 'GET', target: '/certificates/loaded?api-version=2020-09-01' };
const ISSUE = { method: 'POST', target: '/certificates?api-version=2020-09-01' };

/** Stores under an id what certd takes from nobody: the file is written, as an operator or a crash may leave it. */
const leave =
  (id: string, text: string) =>
  async ({ world }: Replay) => {
    await world.file(`certd/home/certs/${certificateFile(id)}`, text);
  };

/** Starts with the configuration, then asks for a certificate of the local CA. */
const thenIssue = (text?: string) => async (replay: Replay, recorded: RecordedExchange) => {
  const { world } = replay;
  if (text !== undefined) await leave('the-ca', text)(replay);
  await startWith(replay, recorded);
  const csr = await makeCsr(world, '/CN=from the csr/O=Test');
  const answer = await exchange(world.socket('certd'), 0, { ...ISSUE, body: { certId: 'x', csr } });
  expectError(answer, 500, 'internal error');
};

/** The stored text of an id. */
async function stored(world: World, id: string): Promise<string> {
  return stringMember(expectStatus(await new Caller(world).get(id), 200), 'pem');
}

const STEPS: Scenario['steps'] = {
  config: async () => {},
  'three-requests-one-connection': async ({ world }) => {
    const connection = await WireConnection.open(world.socket('certd'));
    try {
      for (let number = 0; number < 3; number += 1) expectStatus(await connection.ask(GET_LOADED), 200);
    } finally {
      connection.close();
    }
  },
  'put-three-megabytes': async ({ world }) => {
    const request = {
      method: 'PUT',
      target: '/certificates/big?api-version=2020-09-01',
      body: { pem: 'x'.repeat(3_000_000) },
    };
    assert.equal(answered(await exchange(world.socket('certd'), 0, request)).status, 413);
  },
  'slots-12-connections-one-uid': ({ world }) => twelveConnections(world.socket('certd'), 4001, GET_LOADED, 200),
  'body-withheld': ({ world }) =>
    bodyWithheld(world.socket('certd'), 0, 'PUT', '/certificates/x?api-version=2020-09-01'),
  'preloaded-der-20-times': async ({ world }) => {
    const request = { method: 'GET', target: '/certificates/der?api-version=2020-09-01' };
    for (let time = 0; time < 20; time += 1)
      expectError(await exchange(world.socket('certd'), 4001, request), 500, 'internal error');
    expectStatus(await exchange(world.socket('certd'), 4001, GET_LOADED), 200);
  },
  // spec/renewal.md 1, strict: a member that is left out takes its default
  'renew-half': (replay, exchange) =>
    startWith(replay, { ...exchange, facts: { ...exchange.facts, result: { started: true } } }),
  'max-requests-zero': async ({ world }, { facts }) => {
    await world.stop('certd');
    await world.configure('certd', parts(facts['config']));
    assert.equal((await world.startExpectingExit('certd')).code, 1);
  },
  files: async ({ world }, { facts }) => {
    const names = facts['result'] as string[];
    const own = (await readdir(world.path('certd/home/certs'))).filter((name) => !name.startsWith('emptypem'));
    // an empty text is not stored
    assert.deepEqual(own.toSorted(), names.filter((name) => !name.startsWith('emptypem')).toSorted());
    const { certs, file } = facts['modes'] as { certs: string; file: string };
    const modeOf = async (path: string) => `0${((await stat(world.path(path))).mode & 0o777).toString(8)}`;
    assert.equal(await modeOf('certd/home/certs'), certs);
    assert.equal(await modeOf(`certd/home/certs/${names.at(-1)}`), file);
  },
  'local-ca-missing': thenIssue(),
  'local-ca-cert-missing': thenIssue(),
  // certificates-service.md 6.1, strict: it would verify with nothing
  'local-ca-cert-empty': thenIssue(''),
  'dropin-order': async (replay, recorded) => {
    const { world } = replay;
    const [ab, aB] = [await stored(world, 'ab'), await stored(world, 'a-b')];
    await startWith(replay, recorded);
    assert.equal(await stored(world, 'p'), 'spaced');
    assert.equal(await stored(world, 'q'), `${ab}${ab.endsWith('\n') ? '' : '\n'}${aB}`);
  },
  // CS-069, strict: an error in the log that names the circle, 500 for its members, everything else is served
  'preloaded-cycle': async (replay, recorded) => {
    const { world } = replay;
    await startWith(replay, recorded);
    for (const id of ['a1', 'b1']) expectError(await new Caller(world).get(id), 500, 'internal error');
    await world.running('certd').logged(/\[ERR!?O?R?\][^\n]*(a1 -> b1 -> a1|b1 -> a1 -> b1)/, 5_000);
    expectStatus(await new Caller(world).get('ab'), 200);
  },
  'main-absent-and-symlinked-dropin': async ({ world }) => {
    await world.stop('certd');
    await world.configure('certd', { dropIns: { '10.toml': 'homedir_path = "@ROOT@/certd/home"\n' } });
    await world.file('pre/linked.toml', 'broken [');
    await symlink(world.path('pre/linked.toml'), world.path('certd/config.d/20.toml'));
    await world.start('certd');
    expectError(await exchange(world.socket('certd'), 0, { method: 'GET', target: '/x' }), 400);
  },
};

/** Where a recorded certificate is one that ours issues otherwise (docs/differences/certificates.md). */
const OWN_LEAF: Readonly<Record<string, Partial<LeafDescription>>> = {
  // an identifier that names another key is replaced
  'csr-own-aki': {
    extensions: [
      { oid: '2.5.29.14', name: 'subjectKeyIdentifier', critical: false, value: 'sha1 of own key bits' },
      {
        oid: '2.5.29.35',
        name: 'authorityKeyIdentifier',
        critical: false,
        value: 'key id only = subject key id of the issuer',
      },
    ],
  },
  // the exchange before it, which would store a certificate that verifies with nothing, is refused
  'get-issued': { verifiesWith: 'chain[1]' },
};

/** Clocks of a busy machine, and the time since the authorities were made. */
const SLACK_SECONDS = 120;

/** Compares what was issued with the recorded description; the serial number is a real one, and times have some slack. */
function verifyIssued(answer: WireAnswer, { id, checked }: RecordedExchange): void {
  const { leaf, chainLength } = checked as { leaf: LeafDescription; chainLength: number };
  const pem = stringMember(jsonOf(answer), 'pem');
  const { serial, validitySeconds, notBeforeFromNow, ...came } = describeLeaf(pem);
  const { serial: _zero, validitySeconds: wanted, notBeforeFromNow: _now, ...recorded } = { ...leaf, ...OWN_LEAF[id] };
  assert.deepEqual(came, recorded);
  assert.equal(blocksOf(pem).length, chainLength);
  assert.match(String(serial), /^(?!00+$)[0-7][0-9a-f]{15,39}$/, 'the serial number is not positive, or short');
  const capped = wanted % 86_400 !== 0 || id === 'issuer-ten-days';
  assert.ok(Math.abs(validitySeconds - wanted) <= (capped ? SLACK_SECONDS : 0), `valid for ${validitySeconds} s`);
  assert.ok(Math.abs(notBeforeFromNow) <= SLACK_SECONDS, `valid from ${notBeforeFromNow} s from now`);
}

/** The exchanges whose answer is a certificate that was described. */
const recordedIssuance = firstExchanges().filter(
  ({ section, id, checked }) => checked && (section === 'issuance' || id === 'after-the-panics-post'),
);

const COMMON: Omit<Scenario, 'file' | 'build'> = {
  words: (world) => ({
    '@CERT@': readFileSync(world.path('pre', 'one.pem'), 'utf8'),
    '@CERT2@': readFileSync(world.path('pre', 'other.pem'), 'utf8'),
    '@CERT3@': readFileSync(world.path('pre', 'other.pem'), 'utf8').trimEnd(),
  }),
  steps: STEPS,
  factStep: ({ section, facts }) => (section === 'config' && facts['config'] ? startWith : undefined),
  requests: Object.fromEntries([
    ...AUTHORITY_TEXTS.map((id) => [
      `store-${id}`,
      (request: WireRequest, { world }: Replay) => ({ ...request, body: { pem: authoritiesOf(world).texts[id] } }),
    ]),
    ...OWN_REQUESTS_OF.map((id) => [
      id,
      (request: WireRequest, { world }: Replay) => ({
        ...request,
        body: { ...(request.body as object), csr: authoritiesOf(world).requests[id] },
      }),
    ]),
  ]),
  before: {
    // the file that an earlier exchange made is gone again in the recording
    'bundle-one-missing': ({ world }) => rm(world.path('pre', 'not-there.pem'), { force: true }),
    'issuer-empty-file': leave('ca-empty', ''),
    'issuer-words': leave('ca-words', 'no certificate here\n'),
    'issuer-damaged': (replay) => leave('ca-damaged', authoritiesOf(replay.world).texts['ca-damaged'] ?? '')(replay),
    'keyd-down': ({ world }) => world.stop('keyd'),
    'keyd-back': async ({ world }) => void (await world.start('keyd')),
  },
  verify: {
    ...Object.fromEntries(
      recordedIssuance.map(({ id }) => [
        id,
        (answer: WireAnswer, _replay: Replay, recorded: RecordedExchange) =>
          answer.status < 300 ? verifyIssued(answer, recorded) : undefined,
      ]),
    ),
    'issuer-p384': (answer) => {
      const { signature, verifiesWith } = describeLeaf(stringMember(jsonOf(answer), 'pem'));
      assert.deepEqual([signature, verifiesWith], ['ecdsa-with-SHA256', 'chain[1]']);
    },
    'post-on-preloaded': async (answer, { world }, recorded) => {
      verifyIssued(answer, recorded);
      assert.equal(await readFile(world.path('pre/one.pem'), 'utf8'), stringMember(jsonOf(answer), 'pem'));
      const names = await readdir(world.path('certd/home/certs'));
      assert.ok(!names.includes(certificateFile('loaded')), 'the certificate was stored beside the preloaded file');
    },
  },
};

/** The recorded exchanges of certd, with authorities of this suite's own: the private keys of those recorded are in no file. */
export const goldenCertificates: Scenario = {
  ...COMMON,
  file: 'certificates',
  build,
  skip: ({ section }) =>
    section === 'reload' ? 'waits for the watch of the configuration; judged as CS-074 and CS-075' : undefined,
};

/** The issuance of the same recording, with every key in a token; nothing else in it has to do with keys. */
export const goldenCertificatesOnToken: Scenario = {
  ...COMMON,
  file: 'certificates-softhsm',
  recording: 'certificates',
  build: buildOnToken,
  only: ({ section, id }) => section === 'issuance' || id === 'config',
  skip: () => tokenMissing(),
};
