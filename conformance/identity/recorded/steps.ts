import assert from 'node:assert/strict';
import { createHmac, X509Certificate } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import {
  answered,
  exchange,
  expectStatus,
  jsonOf,
  type RecordedExchange,
  type Replay,
  stringMember,
  WireConnection,
} from '../../runner/index.ts';
import { bodyWithheld, twelveConnections } from '../../transport/index.ts';
import { moduleKey } from './before.ts';
import type { Bench } from './bench.ts';
import { parts } from './configs.ts';
import { MASTER_KEY } from './scenes.ts';
import { startIdentity } from './starts.ts';
import type { StandInTpmd } from './tpmd.ts';

/** A step in place of a recorded exchange that is no single request, or that ours treats otherwise. */
export type Step = (bench: Bench, replay: Replay, recorded: RecordedExchange) => Promise<void>;

const V = 'api-version=2022-08-01';
const DEVICE = { method: 'POST', target: `/identities/device?${V}`, body: { type: 'aziot' } };
const GET_PROVISIONING = { method: 'GET', target: `/identities/provisioning?${V}` };

const askIdentity = async ({ world }: Bench, method: string, target: string, uid = 0) =>
  answered(
    await exchange(world.socket('identityd'), uid, {
      method,
      target: `${target}${target.includes('?') ? '&' : '?'}${V}`,
    }),
  );

async function sign({ world }: Bench, keyHandle: string, data: string): Promise<string> {
  const body = { keyHandle, algorithm: 'HMAC-SHA256', parameters: { message: Buffer.from(data).toString('base64') } };
  const target = '/sign?api-version=2021-05-01';
  const request = { method: 'POST', target, body };
  return stringMember(expectStatus(await exchange(world.socket('keyd'), 0, request), 200), 'signature');
}

function assertDerivedKeys(
  { cloud }: Bench,
  moduleId: string,
  deviceId = 'Dev-01',
  master: Uint8Array = MASTER_KEY,
): void {
  const { generationId, primaryKey, secondaryKey } = cloud.hub.module(deviceId, moduleId);
  assert.equal(primaryKey, moduleKey(master, moduleId, generationId, 'primary'));
  assert.equal(secondaryKey, moduleKey(master, moduleId, generationId, 'secondary'));
}

async function handleSigns(bench: Bench): Promise<void> {
  const answer = await askIdentity(bench, 'GET', '/identities/modules/my-mod_1?type=aziot');
  const { auth } = jsonOf(answer)['spec'] as { auth: { keyHandle: string } };
  const { primaryKey } = bench.cloud.hub.module('Dev-01', 'my-mod_1');
  const expected = createHmac('sha256', Buffer.from(primaryKey, 'base64')).update('text').digest('base64');
  assert.equal(await sign(bench, auth.keyHandle, 'text'), expected);
}

async function localKeysDiffer(bench: Bench): Promise<void> {
  const keys = await Promise.all(
    [1, 2].map(async () => {
      const { spec } = jsonOf(await askIdentity(bench, 'GET', '/identities/modules/l1?type=local'));
      return (spec as { auth: { privateKey: string } }).auth.privateKey;
    }),
  );
  assert.notEqual(keys[0], keys[1]);
}

/** The device is asked for while it cannot be answered: nothing comes until something else has been answered. */
async function held({ world }: Bench): Promise<WireConnection> {
  const waiting = await WireConnection.open(world.socket('identityd'));
  let early: unknown;
  const asked = waiting.ask(DEVICE, 20_000);
  asked.then(
    (answer) => {
      early = answer;
    },
    () => undefined,
  );
  expectStatus(await exchange(world.socket('identityd'), 0, GET_PROVISIONING), 200);
  assert.equal(early, undefined, 'the request for the device was answered');
  return waiting;
}

async function deviceIsHeld(bench: Bench): Promise<void> {
  (await held(bench)).close();
}

/** Longer than a client takes that tries twice, three seconds apart, as the reference does. */
const AWAY_MS = 4_500;

/** keyd goes away: the request waits, and is answered once keyd is there again. */
async function deviceWaitsForKeyd(bench: Bench): Promise<void> {
  await bench.world.stop('keyd');
  const socket = bench.world.socket('identityd');
  const answer = exchange(socket, 0, DEVICE, 25_000);
  expectStatus(await exchange(socket, 0, GET_PROVISIONING), 200);
  await pause(AWAY_MS);
  await bench.world.start('keyd');
  expectStatus(await answer, 200);
}

async function storedCertificate({ world }: Bench, id: string) {
  return answered(
    await exchange(world.socket('certd'), 0, { method: 'GET', target: `/certificates/${id}?api-version=2020-09-01` }),
  );
}

const subjectOf = (pem: string): string => new X509Certificate(pem).subject.split('\n').reverse().join(',');

const chainOf = (pem: string): string[] =>
  pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];

async function keyNames({ world }: Bench): Promise<string[]> {
  const names = await readdir(world.path('keyd', 'home', 'keys')).catch(() => []);
  return names.map((name) => name.replace(/-[0-9a-f]{64}/, '-<sha256>')).sort();
}

interface Stored {
  readonly subjects?: readonly string[];
  readonly message?: string;
}

/** The certificate that certd holds now, compared by subjects and size of the key; or that it holds none. */
const stored =
  (id: string): Step =>
  async (bench, { difference }, { facts }) => {
    const recorded = facts['result'] as Stored;
    const answer = await storedCertificate(bench, id);
    const body = jsonOf(answer);
    if (answer.status !== 200) {
      assert.deepEqual(body, recorded);
    } else {
      const chain = chainOf(stringMember(body, 'pem'));
      const wanted = difference?.log ? [difference.log, 'CN=local-ca'] : recorded.subjects;
      assert.deepEqual(chain.map(subjectOf), wanted);
      const [leaf = ''] = chain;
      assert.equal(new X509Certificate(leaf).publicKey.asymmetricKeyDetails?.modulusLength, 2048);
      bench.notes.set(`stored ${id}`, leaf);
    }
    if (Array.isArray(facts['keys'])) assert.deepEqual(await keyNames(bench), facts['keys']);
  };

const keptCertificate: Step = async (bench) => {
  const [leaf] = chainOf(stringMember(jsonOf(await storedCertificate(bench, 'idcert')), 'pem'));
  assert.equal(leaf, bench.notes.get('stored idcert'));
};

/** The modules of the device in the hub, by generation id. */
const generations = ({ cloud }: Bench): Map<string, string> =>
  new Map(
    [...cloud.hub.device('Dev-01').modules.values()].map(({ moduleId, generationId }) => [moduleId, generationId]),
  );

export function noteModules(bench: Bench): void {
  if (bench.cloud.hub.devices.has('Dev-01')) bench.notes.set('modules', generations(bench));
}

/** What became of each module: kept, made anew, new or gone; the numbers themselves follow from what was made before. */
function changes(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): Record<string, string> {
  const ids = [...new Set([...before.keys(), ...after.keys()])].sort();
  return Object.fromEntries(
    ids.map((id) => {
      if (!before.has(id)) return [id, 'new'];
      if (!after.has(id)) return [id, 'gone'];
      return [id, before.get(id) === after.get(id) ? 'kept' : 'made anew'];
    }),
  );
}

/** Compares what became of the modules; a difference is listed as `name: what, …`. */
const moduleChanges: Step = async (bench, { difference }, { facts }) => {
  const mapOf = (name: string) => new Map(Object.entries(facts[name] as Readonly<Record<string, string>>));
  const ours = changes(bench.notes.get('modules') as Map<string, string>, generations(bench));
  const wanted = difference?.result
    ? Object.fromEntries(difference.result.split(', ').map((part) => part.split(': ')))
    : changes(mapOf('before'), mapOf('after'));
  assert.deepEqual(ours, wanted);
};

const tpmdCalls: Step = async (bench, { difference }, { facts }) => {
  const recorded = facts['calls'] as [string, string, unknown, unknown][];
  const calls = (bench.notes.get('tpmd') as StandInTpmd).takeCalls();
  const shown = calls.map(([method, target, body]) => [method, target, isData(body) ? { data: '<text>' } : body]);
  const wanted = recorded.map(([method, target, , body]) => [method, target, body]);
  const isSignature = ([, target]: readonly unknown[]) => String(target).startsWith('/sign_with_auth_key');
  if (!difference) {
    assert.deepEqual(shown, wanted);
    return;
  }
  const others = (list: readonly (readonly unknown[])[]) => list.filter((call) => !isSignature(call));
  assert.deepEqual(others(shown), others(wanted));
  assert.ok(shown.filter(isSignature).length > wanted.filter(isSignature).length, 'a signature for each request');
};

const isData = (body: unknown): boolean => typeof body === 'object' && body !== null && 'data' in body;

const preloadedKey: Step = async ({ world, notes }) => {
  assert.equal(await readFile(world.path('pre', 'idkey.pem'), 'utf8'), notes.get('idkey'));
};

const WATCHED_AFTER_MS = 500;

/** A drop-in is written to the running daemon; it is noticed within the debounce of the reference and a little more. */
const dropIn: Step = async (_bench, { world, difference }, { facts }) => {
  const running = world.running('identityd');
  const before = running.log.length;
  // a daemon may begin to watch its folder a moment after its socket is there
  await pause(WATCHED_AFTER_MS);
  for (const [name, text] of Object.entries(facts['dropIn'] as Readonly<Record<string, string>>))
    await world.file(`identityd/config.d/${name}`, text);
  const info = facts['info'] as string[];
  const log = facts['log'] as string[];
  const wanted = difference?.log ?? (info.length > 0 ? info.at(-1) : log[0]?.slice(5, 65)) ?? '';
  await running.logged(after(before, wanted), 25_000);
};

/** Matches a text behind the first so many characters. */
const after = (length: number, text: string): RegExp =>
  new RegExp(`^[\\s\\S]{${length}}[\\s\\S]*?${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`);

const masterKeyFile: Step = async (bench, _replay, { facts }) => {
  const folder = bench.world.path('keyd', 'home', 'keys');
  const names = await readdir(folder);
  assert.ok(names.includes(String(facts['name'])), names.join(', '));
  const path = `${folder}/${facts['name']}`;
  const master = await readFile(path);
  assert.equal(master.length, facts['size']);
  assertDerivedKeys(bench, 'm1', 'Dev-01', master);
  bench.notes.set('master', master);
};

const masterKeyKept: Step = async (bench) => {
  const folder = bench.world.path('keyd', 'home', 'keys');
  const name = (await readdir(folder)).find((one) => one.startsWith('aziotidentitydmasterid-')) ?? '';
  assert.deepEqual(await readFile(`${folder}/${name}`), bench.notes.get('master'));
};

/** cloud.md 1.2, stricter: credentials in proxy-authorization alone, and a connection that stays open is opened once. */
const proxySaw: Step = async (bench, { world, difference }, { facts }) => {
  const requests = facts['requests'] as string[][];
  const plain = (lines: readonly string[]) =>
    lines
      .filter((line) => !line.startsWith('authorization:'))
      .map((line) => line.toLowerCase())
      .sort()
      .join('\n');
  const kinds = (list: readonly (readonly string[])[]) => [...new Set(list.map(plain))].sort();
  const seen = bench.proxy.seen.slice(bench.connectsBefore);
  if (difference?.result === 'no connection through the proxy') assert.deepEqual(seen, []);
  else assert.deepEqual(kinds(seen), kinds(requests));
  const masked = (facts['info'] as string[]).filter((line) => line.startsWith('Detected HTTPS proxy'));
  const { log } = world.running('identityd');
  for (const line of difference ? [] : masked) {
    const own = line.replace('<cloud address>:3128', `127.0.0.1:${bench.proxy.port}`);
    assert.ok(log.includes(own), `${own} is not in the log:\n${log}`);
  }
};

const socketAfterOwnBind: Step = async (bench, replay, recorded) => {
  await startIdentity(bench, replay, { ...recorded, facts: { ...recorded.facts, exitCode: null, log: [] } });
  const status = await stat(bench.world.socket('identityd'));
  assert.equal(status.isSocket(), true);
  assert.equal(`0o${(status.mode & 0o777).toString(8)}`, recorded.facts['mode']);
};

/** One caller's slow call to the hub leaves the others alone. */
const slowHubCall: Step = async (bench) => {
  const { cloud, world } = bench;
  cloud.script([{ method: 'GET', path: '/devices/Dev-01/modules/u1', fault: { hang: 3 }, times: 1 }]);
  const before = cloud.seen.length;
  let isOver = false;
  const slow = askIdentity(bench, 'GET', '/identities/modules/u1?type=aziot').then((answer) => {
    isOver = true;
    return answer;
  });
  // before that the other caller may come first, and wait for nothing
  await cloud.until(() => cloud.seen.slice(before).some(({ target }) => target.includes('/modules/u1')));
  expectStatus(await exchange(world.socket('identityd'), 0, GET_PROVISIONING), 200);
  assert.equal(isOver, false);
  assert.equal((await slow).status, 200);
};

const nothingInClear: Step = async ({ cloud, proxy, connectsBefore }) => {
  assert.deepEqual(cloud.seen, []);
  assert.deepEqual(proxy.seen.slice(connectsBefore), []);
};

/** Polls that one token of the reference lives for, and one more. */
const POLLS_OF_A_TOKEN = 7;

/** More polls than one token of the reference lives for; the device goes on. */
const keepsPolling: Step = async (bench, { world }, { facts }) => {
  await world.stop('identityd');
  if (facts['config'] !== undefined) await world.configure('identityd', parts(facts['config']));
  const running = bench.launch();
  const polls = () => bench.cloud.seen.filter(({ target }) => target.includes('/operations/')).length;
  const before = polls();
  await running.ready(world.socket('identityd'), 20_000);
  await bench.cloud.until(() => polls() >= before + POLLS_OF_A_TOKEN);
  assert.equal(running.hasEnded, false);
};

export const STEPS: Readonly<Record<string, Step>> = {
  'manual-sas/body-withheld': ({ world }) => bodyWithheld(world.socket('identityd'), 0, 'POST', DEVICE.target),
  'manual-sas/create-keys': async (bench) => assertDerivedKeys(bench, 'my-mod_1'),
  'manual-sas/handle-signs-with-primary': handleSigns,
  'manual-sas/update-restored-keys': async (bench) => assertDerivedKeys(bench, 'my-mod_1'),
  'manual-sas/update-cleared-managed-by': async ({ cloud }) =>
    assert.equal(cloud.hub.module('Dev-01', 'my-mod_1').managedBy, null),
  'manual-sas/local-keys-differ': localKeysDiffer,
  'manual-sas/keyd-down-device': deviceWaitsForKeyd,
  'manual-sas/slots-12-connections-one-uid': ({ world }) =>
    twelveConnections(world.socket('identityd'), 4001, GET_PROVISIONING, 200),
  'manual-x509-issued/issued': stored('idcert'),
  'manual-x509-issued/restart-keeps-certificate': keptCertificate,
  'manual-x509-issued/csr-subject-email-stored': stored('idcert'),
  'manual-x509-issued/csr-subject-no-cn-stored': stored('idcert'),
  'x509-certd-down/preloaded-key-file': preloadedKey,
  'dps-symmetric/device-other': deviceIsHeld,
  'dps-x509-issued/keys-after': async (bench, _replay, { facts }) =>
    assert.deepEqual(await keyNames(bench), facts['keys']),
  'dps-x509-issued/issued': stored('idcert'),
  'dps-x509-issued/issued-70': stored('idcert2'),
  'dps-x509-issued/issued-cut': stored('idcert3'),
  'dps-endless-assigning/token-expires-while-polling': keepsPolling,
  'dps-failures/poll-unassigned': keepsPolling,
  'dps-failures/poll-assigning-no-state': keepsPolling,
  'dps-tpm/tpmd-calls': tpmdCalls,
  'dps-tpm/tpmd-calls-later': tpmdCalls,
  'dps-tpm/tpmd-calls-restart': tpmdCalls,
  'master-key/master-key-file': masterKeyFile,
  'master-key/master-key-unchanged': masterKeyKept,
  'extras/socket-after-own-bind': socketAfterOwnBind,
  'extras/one-slow-hub-call-blocks-others': slowHubCall,
  'plain-http/received-in-clear': nothingInClear,
};

/** The step of an exchange without a step of its own, by what the recording says of it. */
export function stepByFacts({ id, facts }: RecordedExchange): Step | undefined {
  if (facts['start'] !== undefined) return startIdentity;
  if (id.endsWith('-modules')) return moduleChanges;
  if (id.endsWith('-proxy-saw')) return proxySaw;
  return facts['dropIn'] === undefined ? undefined : dropIn;
}
