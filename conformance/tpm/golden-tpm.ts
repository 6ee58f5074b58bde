import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  expectError,
  expectStatus,
  type RecordedExchange,
  type Replay,
  type Scenario,
  stringMember,
  type WireRequest,
  type World,
} from '../runner/index.ts';
import { recordedSteps } from './recorded.ts';
import { blobLike } from './recorded-blob.ts';
import { softwareVector, swtpmVector, wireSteps } from './recorded-wire.ts';
import { ReplayedTpm } from './replayed-tpm.ts';
import { swtpmIsMissing } from './swtpm.ts';
import type { CommandName } from './tpm-proxy.ts';
import { beforeStarts } from './tpm-states.ts';
import { hmac, KEY, SLOT } from './world.ts';
import { wrapKey } from './wrapped-key.ts';

type Before = (replay: Replay) => Promise<void>;

const LARGE = 1024 * 1024;
const BYTES_TCTI = /\[[\d, ]+\]/;

/** The configuration of a recorded start, with the port of this run in its text or in its bytes. */
function configOf(recorded: string, port: number): string {
  const bytes = `[${[...Buffer.from(`swtpm:port=${port}`)].join(', ')}]`;
  return recorded.includes('115, 119, 116')
    ? recorded.replace(BYTES_TCTI, bytes)
    : recorded.replaceAll('@PORT@', `${port}`);
}

/** The starts that end otherwise than recorded, with exit 1: spec/tpm-service.md 2 and transport.md 5, stricter. */
const ENDS_HERE = new Set(['start/max-requests-zero', 'start/long-owner-auth-63']);

async function start(replay: Replay, { id, facts }: RecordedExchange): Promise<void> {
  const replayed = ReplayedTpm.of(replay);
  const { world } = replay;
  await world.stop('tpmd');
  await beforeStarts[id]?.(replayed);
  const { tpm } = replayed;
  tpm.proxy.takeTrace();
  replayed.forgetLog();
  await world.configure('tpmd', { main: configOf(String(facts['config']), tpm.proxy.port) });
  if (facts['result'] === 'started' && !ENDS_HERE.has(id)) {
    await world.start('tpmd');
    return;
  }
  const ended = await world.startExpectingExit('tpmd');
  assert.equal(ended.code, 1, ended.log);
}

/** Plays response codes for a command: what the recording's own proxy did. */
function playing(name: CommandName, code: number, times = 1): Before {
  return async (replay) => ReplayedTpm.of(replay).tpm.proxy.play(name, { kind: 'code', code }, times);
}

const reboot: Before = (replay) => ReplayedTpm.of(replay).swtpm.reboot();

async function importKey({ tpm, keys }: ReplayedTpm): Promise<void> {
  await tpm.mustImport(wrapKey(keys, { key: KEY }));
  tpm.proxy.takeTrace();
}

/** A key, and another way to the TPM: no proxy between. */
async function startDirect(replay: Replay): Promise<void> {
  const replayed = ReplayedTpm.of(replay);
  const { tpm, swtpm } = replayed;
  await importKey(replayed);
  replayed.forgetLog();
  await tpm.world.stop('tpmd');
  await tpm.world.configure('tpmd', { main: `tcti = "${swtpm.tcti}"\n` });
  await tpm.world.start('tpmd');
}

async function twentySigns(replay: Replay): Promise<void> {
  const { tpm } = ReplayedTpm.of(replay);
  const calls = Array.from({ length: 20 }, async (_, at) => {
    const data = randomBytes(at * 100);
    assert.equal(expectStatus(await tpm.sign(data, 4001 + (at % 4)), 200)['digest'], hmac(KEY, data));
  });
  await Promise.all(calls);
}

async function keysStay(answer: { readonly body: string }, replay: Replay): Promise<void> {
  const body = JSON.parse(answer.body) as Record<string, unknown>;
  const { keys } = ReplayedTpm.of(replay);
  assert.equal(stringMember(body, 'endorsement_key'), keys.endorsementKey.toString('base64'));
  assert.equal(stringMember(body, 'storage_root_key'), keys.storageRootKey.toString('base64'));
}

/** The request of this run: blobs are made for its TPM, and the large one is made whole. */
function remake(request: WireRequest, replay: Replay, { id }: RecordedExchange): WireRequest {
  const { key } = (request.body ?? {}) as { key?: unknown };
  if (id === 'sign-1MiB') return { ...request, body: { data: Buffer.alloc(LARGE, 0x61).toString('base64') } };
  if (!request.target.startsWith('/import') || typeof key !== 'string' || request.method !== 'POST') return request;
  // answered 422 for its base64 alone
  if (Buffer.from(key, 'base64').toString('base64') !== key) return request;
  const blob = blobLike(id, Buffer.from(key, 'base64'), ReplayedTpm.of(replay).keys);
  return { ...request, body: { key: blob.toString('base64') } };
}

async function check(replay: Replay, exchange: RecordedExchange): Promise<void> {
  const replayed = ReplayedTpm.of(replay);
  await replayed.compare(exchange);
  replayed.tpm.proxy.calm();
  if (exchange.section !== 'start' || replay.world.running('tpmd').hasEnded) return;
  const answer = await replayed.tpm.ask('GET', '/get_tpm_keys');
  // an EK that is none is not handed out
  if (!answer.closed && answer.status === 200) replayed.keys = await replayed.tpm.keys();
  replayed.tpm.proxy.takeTrace();
}

/** Every start, every exchange, every wire trace and both vectors of the recording, on swtpm. */
export const tpmGolden: Scenario = {
  file: 'tpm',
  load: recordedSteps,
  build: (world: World) => ReplayedTpm.build(world),
  lacks() {
    const reason = swtpmIsMissing();
    return reason === undefined ? undefined : { reason, need: 'tpm' };
  },
  // what an exchange that failed has left is no part of the next
  async prepare(replay) {
    const { proxy } = ReplayedTpm.of(replay).tpm;
    proxy.calm();
    proxy.takeTrace();
  },
  remake,
  check,
  factStep: ({ section }) => (section === 'start' ? start : undefined),
  before: {
    'sign-evicted': (replay) => ReplayedTpm.of(replay).evict('81000100'),
    'get-keys-ek-evicted': (replay) => ReplayedTpm.of(replay).evict('81010001'),
    async 'import-after-50-bad'(replay) {
      const { tpm, keys } = ReplayedTpm.of(replay);
      for (let number = 0; number < 50; number += 1)
        expectError(await tpm.import(blobLike(`import-flipped-${1 + (number % 4)}`, Buffer.alloc(0), keys)), 500);
      tpm.proxy.takeTrace();
    },
    // the foreign object was kept: an operator removes it, and imports
    async 'sign-after-foreign-5'(replay) {
      const replayed = ReplayedTpm.of(replay);
      assert.ok(await replayed.tpm.isPersistent(SLOT));
      await replayed.evict('81000100');
      await importKey(replayed);
      replayed.holdsKey = true;
    },
    'import-config-changed': ({ world }) => world.configure('tpmd', { main: 'tcti = "nosuch"\nauth_key_index = 5\n' }),
    'sign-retry-once': playing('HMAC', 0x922),
    'sign-yielded-once': playing('HMAC', 0x908),
    'sign-testing-once': playing('HMAC', 0x90a),
    'sign-lockout-once': playing('HMAC', 0x921),
    'sign-nv-rate-once': playing('HMAC', 0x920),
    'sign-retry-20': playing('HMAC', 0x922, 20),
    'sign-retry-update': playing('SequenceUpdate', 0x922),
    'sign-fail-update': playing('SequenceUpdate', 0x101),
    'import-fail-load': playing('Load', 0x101),
    'import-fail-persist': playing('EvictControl', 0x101),
    'import-fail-policysecret': playing('PolicySecret', 0x101),
    'import-fail-first-evict': playing('EvictControl', 0x101),
    'sign-tpm-restarted-5': reboot,
    'sign-tpm-restarted-3000': reboot,
    'get-keys-tpm-restarted': reboot,
    'import-tpm-restarted': reboot,
    'get-keys-tpm-gone': (replay) => ReplayedTpm.of(replay).swtpm.powerOff(),
    'get-keys-tpm-back': (replay) => ReplayedTpm.of(replay).swtpm.powerOn(),
    'direct-sign-after-tpm-restart': reboot,
    'direct-sign-after-tpm-restart-2': reboot,
    'direct-keys-after-tpm-restart': reboot,
    'direct-sign-tpm-gone': (replay) => ReplayedTpm.of(replay).swtpm.powerOff(),
    'direct-sign-tpm-back': (replay) => ReplayedTpm.of(replay).swtpm.powerOn(),
  },
  steps: {
    'start/direct': startDirect,
    'parallel-20-signs-4-uids': twentySigns,
    'direct-daemon-alive': async ({ world }) => assert.equal(world.running('tpmd').hasEnded, false),
    ...wireSteps,
    'vectors/software': softwareVector,
    'vectors/swtpm': swtpmVector,
  },
  verify: {
    'get-keys-again': keysStay,
    'get-keys-other-uid': keysStay,
    'version-extra-query': keysStay,
    'get-keys-after-restart': keysStay,
    'get-keys-ek-recreated': keysStay,
    'get-keys-tpm-restarted': keysStay,
    'get-keys-tpm-back': keysStay,
    'direct-keys-after-tpm-restart': keysStay,
    'sign-1MiB'(answer) {
      assert.equal(JSON.parse(answer.body).digest, hmac(KEY, Buffer.alloc(LARGE, 0x61)));
    },
  },
};
