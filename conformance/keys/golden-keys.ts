import assert from 'node:assert/strict';
import { constants, createHash, publicDecrypt } from 'node:crypto';
import {
  exchange,
  expectStatus,
  jsonOf,
  type Replay,
  type Scenario,
  stringMember,
  type WireAnswer,
  type WireRequest,
} from '../runner/index.ts';
import { bodyWithheld, garbageInsteadOfHttp, twelveConnections } from '../transport/index.ts';
import { handleText, loseHandleValidationKey, mintHandle } from './key-files.ts';
import { p256Key, rsaKey } from './public-key.ts';
import { STORES, type Store, type StoreName } from './stores.ts';
import { verifiesDigest } from './verify-digest.ts';
import { keydConfig, USER, writePreloadedKeys } from './world.ts';

/** The recorded requests quote a handle of their own run; each is made anew from the handle `h1` of this one. */
const TAMPERED: Readonly<Record<string, (handle: string) => string>> = {
  'handle-sr-changed': (handle) => `${handle.slice(0, 10)}${handle[10] === 'A' ? 'B' : 'A'}${handle.slice(11)}`,
  'handle-sig-changed': (handle) => handle.replace(/sig=./, (start) => (start.endsWith('A') ? 'sig=B' : 'sig=A')),
  'handle-only-sr': (handle) => handle.slice(0, handle.indexOf('&')),
  'handle-sig-truncated': (handle) => handle.slice(0, -24),
  'handle-reordered': (handle) => handle.split('&').reverse().join('&'),
  'handle-twice': (handle) => `sr=AAAA&${handle}&x=y`,
};

function tampered(change: (handle: string) => string) {
  return (request: WireRequest, { saved }: Replay): WireRequest => {
    const keyHandle = change(saved.get('h1') ?? '');
    return { ...request, body: { ...(request.body as object), keyHandle } };
  };
}

/** `{{h1}}` of each run signs with its own key, so only what is said to verify is verified. */
async function verifyEcdsa(digestBase64: string, handle: string, answer: WireAnswer, { world, saved }: Replay) {
  const body = { keyHandle: saved.get(handle) };
  const request = { method: 'POST', target: '/parameters/ec-point?api-version=2021-05-01', body };
  const point = stringMember(expectStatus(await exchange(world.socket('keyd'), 0, request), 200), 'value');
  const signature = Buffer.from(stringMember(jsonOf(answer), 'signature'), 'base64');
  assert.ok(
    verifiesDigest(p256Key(point), Buffer.from(digestBase64, 'base64'), signature),
    'the signature does not verify',
  );
}

async function verifyRsa(answer: WireAnswer, replay: Replay, expected: Buffer, padding: number) {
  const { world, saved } = replay;
  const value = async (name: string) => {
    const request = {
      method: 'POST',
      target: `/parameters/${name}?api-version=2021-05-01`,
      body: { keyHandle: saved.get('hr') },
    };
    return stringMember(expectStatus(await exchange(world.socket('keyd'), 0, request), 200), 'value');
  };
  const key = rsaKey(await value('rsa-modulus'), await value('rsa-exponent'));
  const block = Buffer.from(stringMember(jsonOf(answer), 'ciphertext'), 'base64');
  assert.deepEqual(publicDecrypt({ key, padding }, block), expected);
}

const DIGEST_INFO = Buffer.from('3031300d060960864801650304020105000420', 'hex');
const HELLO = createHash('sha256').update('hello').digest();

function plaintextOf(exchangeBody: unknown): Buffer {
  const { plaintext } = exchangeBody as { plaintext: string };
  return Buffer.from(plaintext, 'base64');
}

function digestOf(exchangeBody: unknown): string {
  return (exchangeBody as { parameters: { digest: string } }).parameters.digest;
}

const COMMON: Omit<Scenario, 'file' | 'build'> = {
  requests: Object.fromEntries(Object.entries(TAMPERED).map(([id, change]) => [id, tampered(change)])),
  before: {
    'handle-after-restart': async ({ world }) => void (await world.restart('keyd')),
  },
  steps: {
    'slots-12-connections-one-uid': ({ world }) =>
      twelveConnections(
        world.socket('keyd'),
        USER,
        { method: 'GET', target: '/key/test-sym?api-version=2021-05-01' },
        200,
      ),
    'body-withheld': ({ world }) => bodyWithheld(world.socket('keyd'), 0, 'POST', '/key?api-version=2021-05-01'),
    'malformed-http': ({ world }) => garbageInsteadOfHttp(world.socket('keyd'), 0),
  },
  verify: {
    ecdsa: (answer, replay, { request }) => verifyEcdsa(digestOf(request?.body), 'he', answer, replay),
    'ecdsa-64-byte-digest': (answer, replay, { request }) => verifyEcdsa(digestOf(request?.body), 'he', answer, replay),
    'rsa-pkcs1': (answer, replay) =>
      verifyRsa(answer, replay, Buffer.concat([DIGEST_INFO, HELLO]), constants.RSA_PKCS1_PADDING),
    'rsa-pkcs1-null-params': (answer, replay) =>
      verifyRsa(answer, replay, Buffer.concat([DIGEST_INFO, HELLO]), constants.RSA_PKCS1_PADDING),
    'rsa-none-256': (answer, replay, { request }) =>
      verifyRsa(answer, replay, plaintextOf(request?.body), constants.RSA_NO_PADDING),
  },
};

/** Handles signed with the store's own handle-validation key, which only a file store shows. */
async function mintHandles({ world, saved }: Replay): Promise<void> {
  const nonce = Buffer.alloc(64, 1).toString('base64');
  saved.set('m_ws', await mintHandle(world, `{ "nonce": "${nonce}",\n  "key_id": { "Key": "test1" } }`));
  saved.set('m_nonjson', await mintHandle(world, 'this is no JSON'));
  saved.set('m_unknown', await mintHandle(world, handleText({ Key: 'no-such-key' })));
  saved.set('m_nul', await mintHandle(world, handleText({ Key: 'te\0st' })));
}

/** Exchanges that reach into the file store, where the handle-validation key is a file. */
const WITH_KEY_FILES: Scenario['before'] = {
  'minted-other-layout': mintHandles,
  'handle-after-validation-key-lost': async ({ world }) => {
    await world.stop('keyd');
    await loseHandleValidationKey(world);
    await world.start('keyd');
  },
};

/** The exchanges of a recording, with dynamic keys in the store. */
function goldenOn(store: Store, names: Pick<Scenario, 'file' | 'recording'>): Scenario {
  return {
    ...COMMON,
    ...names,
    async build(world) {
      await writePreloadedKeys(world);
      await world.configure('keyd', { main: keydConfig(await store.prepare(world)) });
      await world.start('keyd');
    },
    before: { ...COMMON.before, ...(store.symmetricIn === 'files' ? WITH_KEY_FILES : {}) },
  };
}

/** One list of exchanges on three stores. The reference was not recorded on a TPM: its symmetric keys are files, as in the recording on files. */
export const KEYS_GOLDEN: Readonly<Record<StoreName, Scenario>> = {
  file: goldenOn(STORES.file, { file: 'keys-files' }),
  softhsm: goldenOn(STORES.softhsm, { file: 'keys-softhsm' }),
  tpm: goldenOn(STORES.tpm, { file: 'keys-tpm', recording: 'keys-files' }),
};
