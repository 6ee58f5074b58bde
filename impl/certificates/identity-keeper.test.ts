import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { keydSigner } from '../clients/index.ts';
import { type CsrAttributes, type Enrolment, EstError, NO_ATTRIBUTES } from '../est/index.ts';
import { HttpsError } from '../https/index.ts';
import { createCounters, createLogger, systemClock } from '../process/index.ts';
import { DEFAULT_POLICY } from '../renewal/index.ts';
import {
  createCsr,
  encodeName,
  formatChain,
  issueCertificate,
  parseChain,
  parseCsr,
  readCertificate,
} from '../x509/index.ts';
import { isRefusal } from './est-identity.ts';
import { IdentityKeeper, type IdentityRequest, type KeeperContext } from './identity-keeper.ts';
import { CertificateStore } from './store.ts';
import { type MemoryKeyd, memoryKeyd } from './testing/memory-keyd.ts';

const NOW = Date.UTC(2026, 5, 1);
const DAY_MS = 86_400_000;
const IDENTITY = { cert: 'est-id', pk: 'est-id' };
const BOOTSTRAP = { cert: 'boot', pk: 'boot' };

let root: string;
let keyd: MemoryKeyd;
let store: CertificateStore;
let context: KeeperContext;
let keeper: IdentityKeeper;
let seen: Enrolment[];
let fail: Error | undefined;
let log: string[];
let wishes: CsrAttributes;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'est-identity-'));
  [keyd, store, seen, fail, log] = [memoryKeyd(), new CertificateStore(root, new Map()), [], undefined, []];
  wishes = NO_ATTRIBUTES;
  const est = {
    async enrol(enrolment: Enrolment) {
      seen.push(enrolment);
      if (fail) throw fail;
      return [await selfIssued(enrolment.csr.subject, 'ca', 0, 100, enrolment.csr)];
    },
    csrAttributes: async () => wishes,
  };
  const logger = createLogger({ target: 'certd', filter: '', write: (line) => log.push(line), now: () => NOW });
  const clock = { ...systemClock, now: () => NOW };
  const trust = { anchors: [], source: '' };
  const ways = { policy: DEFAULT_POLICY, operation: 'simpleenroll', csrAttributes: 'ignore' } as const;
  context = { keyd, store, est, clock, log: logger, trust, proxy: undefined, ...ways };
  keeper = new IdentityKeeper({ clock, random: () => 0, log: logger, counters: createCounters() });
  await keyd.createKeyPairIfNotExists('ca');
  await keyd.createKeyPairIfNotExists('boot');
  await store.write('boot', formatChain([await selfIssued(encodeName([['CN', 'boot']]), 'boot', 0, 100)]));
  keyd.calls.length = 0;
});
afterEach(() => rmSync(root, { recursive: true }));

/** A certificate for the key `id`, or for the request, from `age` days ago for `days` days. */
async function selfIssued(subject: Uint8Array, id: string, age: number, days: number, csr?: Enrolment['csr']) {
  const signer = await keydSigner(keyd, await keyd.loadKeyPair(id));
  const issued = await issueCertificate({
    csr: csr ?? (await parseCsr(await createCsr({ subject, signer }))),
    issuerChain: [],
    signer,
    now: NOW - age * DAY_MS,
    lifetimeSeconds: days * 86_400,
    serial: randomBytes(16),
  });
  return readCertificate(issued.der);
}

async function holdIdentity(age: number, days: number): Promise<string> {
  await keyd.createKeyPairIfNotExists('est-id');
  const pem = formatChain([await selfIssued(encodeName([['CN', 'identity']]), 'est-id', age, days)]);
  await store.write('est-id', pem);
  keyd.calls.length = 0;
  return pem;
}

const obtain = async (changes: Partial<IdentityRequest> = {}) =>
  (await keeper.obtain({ ...request(), ...changes }, context)).credential;

const keyOf = (id: string) => keyd.pairs.get(id)?.publicKey;
async function identityMatches(): Promise<boolean> {
  const leaf = parseChain((await store.read('est-id')) ?? '')[0];
  return leaf !== undefined && keyOf('est-id')?.equals(leaf.x509.publicKey) === true;
}

describe('first identity', () => {
  test('EST-032 EST-033 EST-035 EST-038 bootstrap enrols a new key for client authentication', async () => {
    const credential = await obtain();
    expect(seen).toHaveLength(1);
    expect(seen[0]!.credential?.keyHandle).toBe('handle:boot');
    expect(seen[0]!.csr.subject).toEqual(encodeName([['CN', 'first']]));
    expect(seen[0]!.csr.extensions.map(({ oid, value }) => [oid, value.toString('hex')])).toEqual([
      ['2.5.29.37', '300a06082b06010505070302'],
    ]);
    expect(keyd.calls).toContain('create est-id-temp ec-p256:rsa-4096:*');
    expect(credential).toEqual({ keyHandle: 'handle:est-id', certificateChainPem: await store.read('est-id') });
    expect(await identityMatches()).toBe(true);
    expect(keyd.pairs.has('est-id-temp')).toBe(false);
  });

  test('EST-034 the second use finds it', async () => {
    await obtain();
    await obtain();
    expect(seen).toHaveLength(1);
  });

  test('EST-036 no bootstrap: an error, nothing asked, key untouched', async () => {
    await expect(obtain({ bootstrap: undefined })).rejects.toThrow('bootstrap is not configured');
    expect(seen).toEqual([]);
    expect(keyd.calls).toEqual([]);
  });

  test('EST-037 a failing bootstrap leaves the key as it was', async () => {
    await keyd.createKeyPairIfNotExists('est-id');
    const before = keyOf('est-id');
    fail = new Error('EST says no');
    await expect(obtain()).rejects.toThrow('EST says no');
    expect(keyOf('est-id')).toBe(before);
    expect(keyd.pairs.has('est-id-temp')).toBe(false);
    expect(await store.read('est-id')).toBeUndefined();
  });

  test('a damaged identity file is bootstrapped anew', async () => {
    await store.write('est-id', '-----BEGIN CERTIFICATE-----\nMIIB\n');
    await obtain();
    expect(await identityMatches()).toBe(true);
  });

  test.each([/temp/, /^move/])('where keyd refuses %s, the key is made in its place', async (refuse) => {
    keyd.refuse = refuse;
    await obtain();
    expect(await identityMatches()).toBe(true);
    expect(log.join()).toContain('in its place');
  });
});

function request() {
  return {
    identity: IDENTITY,
    bootstrap: BOOTSTRAP,
    basic: undefined,
    url: 'https://est/',
    firstSubject: () => encodeName([['CN', 'first']]),
    signal: new AbortController().signal,
  };
}

describe('identity at hand', () => {
  test('EST-031 a fresh one is used as it is, with its whole chain', async () => {
    const pem = await holdIdentity(1, 100);
    expect(await obtain()).toEqual({ keyHandle: 'handle:est-id', certificateChainPem: pem });
    expect(seen).toEqual([]);
  });

  test('RN-025 RN-029 RN-030 RN-031 a due one is renewed on use with the old leaf, old subject and a new key', async () => {
    const pem = await holdIdentity(80, 100);
    const before = keyOf('est-id');
    await obtain();
    expect(seen[0]!.credential).toEqual({ keyHandle: 'handle:est-id', certificateChainPem: pem });
    expect(seen[0]!.csr.subject).toEqual(encodeName([['CN', 'identity']]));
    expect(keyOf('est-id')).not.toBe(before);
    expect(keyd.pairs.has('est-id-temp')).toBe(false);
    expect(await identityMatches()).toBe(true);
  });

  test('RN-032 without rotation the key stays', async () => {
    await holdIdentity(80, 100);
    const before = keyOf('est-id');
    context = { ...context, policy: { ...DEFAULT_POLICY, rotateKey: false } };
    await obtain();
    expect(keyOf('est-id')).toBe(before);
    expect(await identityMatches()).toBe(true);
  });

  test('RN-025 a due one that cannot be renewed is used while it is valid', async () => {
    const pem = await holdIdentity(80, 100);
    fail = new Error('EST says no');
    expect(await obtain()).toEqual({ keyHandle: 'handle:est-id', certificateChainPem: pem });
    expect(log.join()).toContain('EST says no');
    expect(await identityMatches()).toBe(true);
  });

  test('RN-029 an expired one is renewed with the bootstrap credential, or not at all', async () => {
    await holdIdentity(100, 100);
    await expect(obtain({ bootstrap: undefined })).rejects.toThrow('bootstrap is not configured');
    await obtain();
    expect(seen.map((one) => one.credential?.keyHandle)).toEqual(['handle:boot']);
    expect(await identityMatches()).toBe(true);
  });

  test('RN-033 a left-over temporary key is made anew', async () => {
    await holdIdentity(80, 100);
    await keyd.createKeyPairIfNotExists('est-id-temp');
    const left = keyOf('est-id-temp');
    await obtain();
    expect(keyOf('est-id')).not.toBe(left);
    expect(await identityMatches()).toBe(true);
  });

  test('RN-034 a key move that fails puts the old certificate back', async () => {
    const pem = await holdIdentity(80, 100);
    keyd.refuse = /^move/;
    expect(await obtain()).toEqual({ keyHandle: 'handle:est-id', certificateChainPem: pem });
    expect(await store.read('est-id')).toBe(pem);
    keyd.refuse = undefined;
    await obtain();
    expect(await identityMatches()).toBe(true);
    expect(await store.read('est-id')).not.toBe(pem);
  });

  test.each(['an old key', 'no key'])(
    'RN-035 a crash between certificate and key is finished, with %s in place',
    async (left) => {
      await holdIdentity(1, 100);
      const fresh = keyOf('est-id');
      keyd.pairs.set('est-id-temp', keyd.pairs.get('est-id')!);
      keyd.pairs.delete('est-id');
      if (left === 'an old key') await keyd.createKeyPairIfNotExists('est-id');
      await obtain();
      expect(keyOf('est-id')).toBe(fresh);
      expect(await identityMatches()).toBe(true);
      expect(seen).toEqual([]);
    },
  );

  test('a key of another certificate is an error before any request, or made anew by bootstrap', async () => {
    await holdIdentity(1, 100);
    keyd.pairs.delete('est-id');
    await keyd.createKeyPairIfNotExists('est-id');
    await expect(obtain({ bootstrap: undefined })).rejects.toThrow('does not belong');
    expect(seen).toEqual([]);
    await obtain();
    expect(await identityMatches()).toBe(true);
  });

  test('where keyd will never move the key, the next try of the same renewal keeps it, and so do later ones', async () => {
    await holdIdentity(80, 100);
    const before = keyOf('est-id');
    keyd.refuse = /^move/;
    keyd.refuseWith = 400;
    await obtain();
    expect([keyOf('est-id'), seen.length]).toEqual([before, 2]);
    expect(await identityMatches()).toBe(true);
    await holdIdentity(80, 100);
    await obtain();
    expect(seen).toHaveLength(3);
    expect(await identityMatches()).toBe(true);
  });

  test('a move without an answer leaves certificate and key to be matched when keyd is back', async () => {
    await holdIdentity(80, 100);
    keyd.moveLosesAnswer = true;
    await obtain();
    keyd.moveLosesAnswer = false;
    await obtain();
    expect(await identityMatches()).toBe(true);
    expect(seen).toHaveLength(1);
  });

  test('keyd that is down changes nothing, whatever was configured', async () => {
    const pem = await holdIdentity(1, 100);
    keyd.down = true;
    await expect(obtain()).rejects.toThrow('keyd');
    expect([await store.read('est-id'), seen]).toEqual([pem, []]);
  });
});

describe('refused by the server', () => {
  const refusal = new EstError('EST server answered 401 to cacerts', { status: 401 });

  test('401 in use leads to bootstrap, once in ten minutes', async () => {
    await holdIdentity(1, 100);
    const first = await keeper.obtain(request(), context);
    const second = await keeper.obtainAfter(refusal, first.fingerprint, request(), context);
    expect(second.fingerprint).not.toBe(first.fingerprint);
    expect(seen.map((one) => one.credential?.keyHandle)).toEqual(['handle:boot']);
    await expect(keeper.obtainAfter(refusal, second.fingerprint, request(), context)).rejects.toBe(refusal);
    expect(await keeper.obtainAfter(refusal, first.fingerprint, request(), context)).toEqual(second);
  });

  test('another failure does not, nor a refusal without bootstrap', async () => {
    await holdIdentity(1, 100);
    const { fingerprint } = await keeper.obtain(request(), context);
    const other = new EstError('no', { status: 403 });
    await expect(keeper.obtainAfter(other, fingerprint, request(), context)).rejects.toBe(other);
    const plain = { ...request(), bootstrap: undefined };
    await expect(keeper.obtainAfter(refusal, fingerprint, plain, context)).rejects.toBe(refusal);
    expect(seen).toEqual([]);
  });

  test('a renewal that is refused is done with the bootstrap credential', async () => {
    await holdIdentity(80, 100);
    const { est } = context;
    context = {
      ...context,
      est: {
        ...est,
        enrol: (enrolment) =>
          enrolment.credential?.keyHandle === 'handle:est-id' ? Promise.reject(refusal) : est.enrol(enrolment),
      },
    };
    await obtain();
    expect(seen.map((one) => one.credential?.keyHandle)).toEqual(['handle:boot']);
    expect(await identityMatches()).toBe(true);
  });
});

test.each([
  ['an alert', new HttpsError('client-credential', 'est refused the client certificate'), true],
  ['a connection that is closed after the handshake', new HttpsError('closed', 'closed'), true],
  ['one that is closed in it', new HttpsError('not-connected', 'no', new Error('read ECONNRESET')), true],
  ['401', new EstError('no', { status: 401 }), true],
  ['a server that is not there', new HttpsError('not-connected', 'no', new Error('connect ECONNREFUSED')), false],
  ['a server that is not trusted', new HttpsError('untrusted-server', 'no'), false],
  ['403', new EstError('no', { status: 403 }), false],
])('%s: whether it refuses the identity', (_name, error, refused) => {
  expect(isRefusal(error)).toBe(refused);
});

test('simplereenroll is used with the identity, never with the bootstrap credential', async () => {
  context = { ...context, operation: 'simplereenroll' };
  await obtain();
  await holdIdentity(80, 100);
  await obtain();
  expect(seen.map(({ operation }) => operation)).toEqual(['simpleenroll', 'simplereenroll']);
});

test('what the server wants to see is in the request, client authentication always', async () => {
  const key = { oid: '2.5.29.15', critical: true, value: Buffer.from('03020780', 'hex') };
  const purpose = { oid: '2.5.29.37', value: Buffer.from('300a06082b06010505070301', 'hex') };
  wishes = { keyAlgorithms: ['rsa-2048'], extensions: [key, purpose], unknown: ['1.2.3'] };
  context = { ...context, csrAttributes: 'ask' };
  await obtain();
  expect(keyd.calls).toContain('create est-id-temp rsa-2048:ec-p256:rsa-4096:*');
  expect(seen[0]!.csr.extensions.map(({ oid, value }) => [oid, value.toString('hex')])).toEqual([
    ['2.5.29.37', '300a06082b06010505070302'],
    ['2.5.29.15', '03020780'],
  ]);
  expect(log.join()).toContain('1.2.3');
});

test('requests that come while the identity is made wait for the same one', async () => {
  const all = await Promise.all(Array.from({ length: 5 }, () => obtain()));
  expect(new Set(all.map(({ certificateChainPem }) => certificateChainPem)).size).toBe(1);
  expect(seen).toHaveLength(1);
});

test('a renewal that hangs holds up nobody who can use what is there', async () => {
  const pem = await holdIdentity(80, 100);
  let hanging = 0;
  const stuck = { ...context.est, enrol: () => new Promise<never>(() => hanging++) };
  context = { ...context, est: stuck, clock: { ...context.clock, sleep: async () => undefined } };
  expect((await obtain()).certificateChainPem).toBe(pem);
  await expect.poll(() => hanging).toBe(1);
  expect((await obtain()).certificateChainPem).toBe(pem);
  expect(hanging).toBe(1);
});
