import assert from 'node:assert/strict';
import { chmod } from 'node:fs/promises';
import type { Context } from '../runner/index.ts';
import type { Authorities } from './ca.ts';
import { newKey } from './ca.ts';
import { EXPIRED, FAILED, REPLACED } from './log-words.ts';
import type { Own, RecordedScenario } from './recorded.ts';
import { halfIn, type RenewalPlan, RenewalRun } from './renewal-run.ts';
import { configFor, replay } from './replay.ts';
import { type Behaviour, startResponder } from './responder.ts';

/** How a recorded scenario of section "renewal" is set up, and what ours gives in place of the recorded outcome. */
interface Play extends RenewalPlan {
  readonly own?: Own;
  /** In place of the recorded one, where that counts on the very seconds of the recording. */
  readonly server?: Behaviour;
  /** Whether the key of `est-id` is another one afterwards; it matches the certificate in every case. Left out: as recorded. */
  readonly keyChanged?: boolean;
}

const DEVICE = ['O=Test,CN=from the csr', 'CN=TEST issuing', 'CN=TEST root'];
const RENEWED = ['CN=TEST est-id', 'CN=TEST issuing', 'CN=TEST root'];
const DUE: RenewalPlan = { held: [{ id: 'est-id', from: -60, to: 40 }] };
/** Due four seconds from now; `half` of its lifetime remains then. */
const timer = (half: number): RenewalPlan => ({ held: [{ id: 'est-id', ...halfIn(4, half) }] });
/** Ours refuses such an answer, keeps the old identity and tries again. */
const REFUSED_ANSWER: Own = { answers: [201], requests: 'any', after: { 'device-id': DEVICE, 'est-id': RENEWED } };

/** Without rights to write to a folder as soon as certd runs; the renewal is asked for, fails, and succeeds when the folder is open again. */
const whileLocked = (folder: string) => async (run: RenewalRun) => {
  await run.asked('simpleenroll');
  // until the failure is known, the new certificate may be there with its own key in the other place
  await run.until(async () => FAILED.test(run.world.running('certd').log), 'the failure was not logged');
  assert.equal(await run.isRenewed(), false, 'the identity was renewed in a folder that could not be written to');
  assert.deepEqual(await run.keyState(), { changed: false, matches: true });
  await chmod(run.world.path(folder), 0o777);
  await run.renewed();
};

const PLAYS: Readonly<Record<string, Play>> = {
  'timer-rotate': timer(100),
  'timer-keep-key': timer(100),
  'timer-and-basic': timer(100),
  'timer-retry': { ...timer(20), own: { requests: 'kinds' } },
  'timer-retry-cacerts-fails': { ...timer(20), own: { requests: 'kinds' } },
  'timer-past-expiry-bootstrap': {
    ...timer(12),
    own: { requests: 'kinds' },
    server: {
      auth: 'cert',
      quirks: { simpleenroll: { status: 500, client: 'CN=TEST est-id' } },
      issues: { lifetime: 600 },
    },
  },
  'timer-past-expiry-no-bootstrap': {
    ...timer(12),
    own: { requests: 'kinds' },
    during: (run) => run.until(async () => EXPIRED.test(run.world.running('certd').log), 'it did not expire'),
  },
  'replaced-between': {
    held: [{ id: 'est-id', ...halfIn(12, 100) }],
    during: async (run) => {
      await run.lookedAt();
      await run.store({ id: 'est-id', from: 0, to: 600, subject: 'CN=TEST of somebody else' }, newKey().publicKey);
      const noticed = async () => REPLACED.test(run.world.running('certd').log);
      await run.until(noticed, 'the change was not noticed');
      assert.equal(await run.isRenewed(), false, 'the file of somebody else was replaced');
      assert.deepEqual(run.responder.seen, []);
    },
  },
  'leftover-temp-key': { ...DUE, leftOver: ['est-id-temp'] },
  'write-fails-once': {
    ...timer(20),
    users: { keys: ['est-id', 'est-id-temp'] },
    own: { requests: 'kinds', after: { 'est-id': RENEWED } },
    keyChanged: true,
    during: async (run) => {
      await chmod(run.world.path('certd/home/certs'), 0o555);
      await whileLocked('certd/home/certs')(run);
    },
  },
  'key-move-fails': {
    held: [{ id: 'est-id', ...halfIn(4, 20), subject: 'CN=TEST moving', key: 'file' }],
    users: { keys: ['est-id', 'est-id-temp'] },
    own: { requests: 'kinds', after: { 'est-id': ['CN=TEST moving', 'CN=TEST issuing', 'CN=TEST root'] } },
    keyChanged: true,
    during: whileLocked('pre/locked'),
  },
  'renewed-on-use': { ...DUE, own: { requests: 'kinds' } },
  'renewal-gives-other-key': { ...DUE, own: REFUSED_ANSWER, keyChanged: true },
  'renewal-gives-expired-at-start': {
    ...DUE,
    own: { answers: [], requests: 'kinds', after: { 'est-id': RENEWED } },
    keyChanged: true,
  },
  'renewal-gives-expired-by-timer': { ...timer(20), own: { requests: 'kinds' } },
  'renewal-gives-no-certs': { ...DUE, own: REFUSED_ANSWER, keyChanged: true },
  'always-due': { ...DUE, own: { requests: 'kinds' } },
  'temp-key-not-permitted': {
    held: [{ id: 'est-id', from: -900, to: 100 }],
    users: { keys: ['est-id'] },
    during: (run) => run.until(async () => FAILED.test(run.world.running('certd').log), 'no failure is logged'),
  },
  'temp-key-permitted': { held: [{ id: 'est-id', from: -900, to: 100 }], users: { keys: ['est-id', 'est-id-temp'] } },
  'two-identities-order': {
    held: [
      { id: 'est-id', ...halfIn(60, 100) },
      { id: 'est-other', ...halfIn(4, 100) },
    ],
    during: async (run) => {
      await run.renewed('est-other');
      assert.deepEqual(await run.keyState('est-other'), { changed: true, matches: true });
    },
  },
  'reload-new-policy': {
    held: [{ id: 'est-id', from: -300, to: 300 }],
    during: async (run) => {
      assert.equal(await run.isRenewed(), false);
      const policy =
        '[cert_issuance.est]\nidentity_auto_renew = { rotate_key = true, threshold = "40%", retry = "4%" }\n';
      await run.world.file('certd/config.d/50-policy.toml', policy);
      await run.until(() => run.isRenewed(), 'the new policy had no effect', 30_000);
    },
  },
};

/** Plays one scenario with identities that live seconds, in a world of its own. */
export async function runRenewal(context: Context, recorded: RecordedScenario, ca: Authorities): Promise<void> {
  const play = PLAYS[recorded.id];
  assert.ok(play && recorded.server, `nothing says how ${recorded.id} is set up`);
  const responder = await startResponder(ca, play.server ?? recorded.server);
  const world = await context.fresh();
  world.onDispose(() => responder.close());
  const run = new RenewalRun(world, responder, ca, play);
  await world.configure('certd', { main: configFor(recorded, responder) });
  await run.prepare();
  await run.startCertd();
  await (play.during ?? ((each: RenewalRun) => each.renewed()))(run);
  const own = recorded.exit === undefined ? play.own : { answers: [], ...play.own };
  await replay(world, recorded, { responder, own: own ?? {} });
  const changed = play.keyChanged ?? recorded.after?.identityKeyChanged ?? false;
  assert.deepEqual(await run.keyState(), { changed, matches: true });
}
