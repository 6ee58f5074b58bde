import assert from 'node:assert/strict';
import { tokenMissing } from '../keys/index.ts';
import { besideEachOther, type Context, expectError, expectStatus } from '../runner/index.ts';
import { BOOTSTRAP, enrol, estWorld, IDENTITY } from './est-world.ts';
import { FAILED, REPLACED } from './log-words.ts';
import { halfIn } from './renewal-run.ts';
import { subjectsOf } from './replay.ts';

const AUTO = (policy: string) => `${IDENTITY}\nidentity_auto_renew = ${policy}`;
const HALF = '{ rotate_key = true, threshold = "50%", retry = "10%" }';
const SERVER = { auth: 'cert', issues: { lifetime: 600 } } as const;
const LOGGED_MS = 15_000;
/** A failure that is not tried again inside the exchange: the server asks for more time than that has. */
const BUSY = { status: 503, retry_after: 3600 };

function needToken(context: Context): void {
  const missing = tokenMissing();
  if (missing !== undefined) context.skip(missing, 'pkcs11');
}

/** Checks of renewal.md 7 that show on the wire and that no recording shows. */
export const renewals = besideEachOther('EST renewal', {
  'RN-005': [
    'without a table the certificates service renews at 80 % with a new key',
    'spec',
    async (context) => {
      const held = [{ id: 'est-id', from: -850, to: 150 }];
      const run = await estWorld(context, { server: SERVER, auth: IDENTITY, held });
      await run.renewed();
      assert.deepEqual(await run.keyState(), { changed: true, matches: true });
    },
  ],
  'RN-008': [
    'an identity that is not due is left alone, and used as it is',
    'spec',
    async (context) => {
      const held = [{ id: 'est-id', from: -300, to: 300 }];
      const run = await estWorld(context, { server: SERVER, auth: IDENTITY, held });
      expectStatus(await enrol(run), 201);
      assert.equal(await run.isRenewed(), false);
      assert.deepEqual(run.responder.seen.map(({ request }) => request.split('/').at(-1)).toSorted(), [
        'cacerts',
        'simpleenroll',
      ]);
    },
  ],
  'RN-017': [
    'an expired identity whose renewal fails is handed to nobody: the request is an error',
    'spec',
    async (context) => {
      const held = [{ id: 'est-id', from: -600, to: -10 }];
      const run = await estWorld(context, {
        server: { ...SERVER, quirks: { '*': BUSY } },
        auth: `${IDENTITY}\n${BOOTSTRAP}`,
        held,
      });
      assert.equal(expectError(await enrol(run), 500), 'internal error');
      assert.equal(await run.isRenewed(), false);
      assert.ok(
        !run.responder.seen.some(({ tls }) => tls?.client === 'CN=TEST est-id'),
        'an expired identity was presented',
      );
    },
  ],
  'RN-018': [
    'a due and valid identity whose renewal is refused is used as it is, and tried again',
    'spec',
    async (context) => {
      const held = [{ id: 'est-id', from: -60, to: 40 }];
      const quirks = { simpleenroll: { ...BUSY, times: 2 } };
      const run = await estWorld(context, { server: { ...SERVER, quirks }, auth: AUTO(HALF), held });
      await run.world.running('certd').logged(FAILED, LOGGED_MS);
      await run.renewed();
      assert.deepEqual(await run.keyState(), { changed: true, matches: true });
    },
  ],
  'RN-020': [
    'an identity that cannot be renewed for good leaves the others alone',
    'spec',
    async (context) => {
      const run = await estWorld(context, {
        server: SERVER,
        auth: `identity_auto_renew = ${HALF}`,
        issuance:
          'other = { method = "est", identity_cert = "est-other", identity_pk = "no-such-key" }\n' +
          'third = { method = "est", identity_cert = "est-id", identity_pk = "est-id" }',
        held: [
          { id: 'est-id', from: -60, to: 60 },
          { id: 'est-other', from: -60, to: 60 },
        ],
      });
      await run.renewed();
      await run.world.running('certd').logged(/"no-such-key"/, LOGGED_MS);
      assert.equal(await run.isRenewed('est-other'), false);
    },
  ],
  'RN-021': [
    'a certificate that somebody replaced is left alone by the timer',
    'spec',
    async (context) => {
      const held = [{ id: 'est-id', ...halfIn(12, 100) }];
      const run = await estWorld(context, { server: SERVER, auth: AUTO(HALF), held });
      const key = await run.keyOf('est-id');
      await run.lookedAt();
      await run.store({ id: 'est-id', from: -60, to: 60, subject: 'CN=TEST of somebody else' }, key);
      await run.world.running('certd').logged(REPLACED, LOGGED_MS);
      assert.deepEqual(run.responder.seen, []);
      assert.deepEqual(subjectsOf((await run.read('est-id')) ?? ''), ['CN=TEST of somebody else']);
    },
  ],
  'RN-022': [
    'an expired answer is not stored; the old identity stays in use until a good one comes',
    'spec',
    async (context) => {
      const held = [{ id: 'est-id', from: -30, to: 3600 }];
      const quirks = { simpleenroll: { lifetime: -5, backdate: 60, times: 1 } };
      const auth = AUTO('{ rotate_key = true, threshold = "400day", retry = "1day" }');
      const run = await estWorld(context, { server: { ...SERVER, quirks }, auth, held });
      await run.world.running('certd').logged(/could not renew certificate "est-id".*expired/, LOGGED_MS);
      assert.deepEqual([await run.isRenewed(), await run.keyState()], [false, { changed: false, matches: true }]);
    },
  ],
  'RN-024': [
    'an identity that is not there and cannot be made is an error without a request',
    'spec',
    async (context) => {
      const run = await estWorld(context, { server: SERVER, auth: IDENTITY });
      assert.equal(expectError(await enrol(run), 500), 'internal error');
      assert.deepEqual(run.responder.seen, []);
    },
  ],
  'RN-027': [
    'while the key is unavailable a request is an error, and nothing is made anew; then the identity is used as before',
    'spec',
    async (context) => {
      const held = [{ id: 'est-id', from: -300, to: 300 }];
      const run = await estWorld(context, { server: SERVER, auth: `${IDENTITY}\n${BOOTSTRAP}`, held });
      await run.world.stop('keyd');
      assert.equal(expectError(await enrol(run), 500), 'internal error');
      assert.deepEqual(run.responder.seen, []);
      await run.world.start('keyd');
      expectStatus(await enrol(run), 201);
      assert.deepEqual([await run.isRenewed(), await run.keyState()], [false, { changed: false, matches: true }]);
    },
  ],
  'RN-031/softhsm': [
    'in a token, too, rotation leaves a new key that belongs to the certificate, and no temporary one',
    'spec',
    async (context) => {
      needToken(context);
      const held = [{ id: 'est-id', from: -60, to: 600 }];
      const auth = AUTO('{ rotate_key = true, threshold = "5%", retry = "10%" }');
      const run = await estWorld(context, { server: SERVER, auth, held, token: true });
      await run.renewed();
      assert.deepEqual(await run.keyState(), { changed: true, matches: true });
      await assert.rejects(run.keyOf('est-id-temp'), 'est-id-temp is still there');
    },
  ],
  'RN-034/softhsm': [
    'an identity key in a file beside a token is renewed too, once, and no request wastes an enrolment',
    'inferred',
    async (context) => {
      needToken(context);
      const held = [{ id: 'est-id', from: -60, to: 600, key: 'file' as const }];
      const auth = AUTO('{ rotate_key = true, threshold = "5%", retry = "10%" }');
      const run = await estWorld(context, { server: SERVER, auth, held, token: true });
      await run.renewed();
      assert.equal((await run.keyState()).matches, true);
      const identities = run.responder.issued.length;
      expectStatus(await enrol(run), 201);
      expectStatus(await enrol(run), 201);
      assert.ok(identities <= 2, `${identities} certificates for one renewal`);
      assert.equal(run.responder.issued.length, identities + 2, 'requests wasted enrolments');
    },
  ],
  'RN-038': [
    'an identity that fell out of renewal, its key gone, is enrolled by bootstrap at the next request',
    'spec',
    async (context) => {
      const held = [{ id: 'est-id', from: -60, to: 60 }];
      const issuance = 'other = { method = "est" }';
      const run = await estWorld(context, { server: SERVER, auth: `${AUTO(HALF)}\n${BOOTSTRAP}`, issuance, held });
      await run.renewed();
      assert.deepEqual(await run.keyState(), { changed: true, matches: true });
      await run.forgetKey('est-id');
      expectStatus(await enrol(run, 'other'), 201);
      assert.deepEqual(await run.keyState(), { changed: true, matches: true });
      assert.ok(run.responder.seen.some(({ tls }) => tls?.client === 'CN=TEST bootstrap'));
    },
  ],
  'RN-039': [
    'a threshold as long as the lifetime is warned of once',
    'spec',
    async (context) => {
      const held = [{ id: 'est-id', from: -60, to: 3600 }];
      const auth = AUTO('{ rotate_key = false, threshold = "400day", retry = "4%" }');
      const run = await estWorld(context, { server: { ...SERVER, issues: { lifetime: 60 } }, auth, held });
      await run.renewed();
      await run.asked('simpleenroll', 3);
      const warnings = run.world.running('certd').log.match(/threshold of "est-id" is as long as its lifetime/g) ?? [];
      assert.equal(warnings.length, 1);
    },
  ],
  'RN-052': [
    'certificates of callers are never renewed',
    'spec',
    async (context) => {
      const held = [{ id: 'est-id', ...halfIn(7, 100) }];
      const server = { auth: 'cert', issues: { lifetime: 3 } } as const;
      const run = await estWorld(context, { server, auth: AUTO(HALF), held });
      expectStatus(await enrol(run), 201);
      const pem = await run.read('device-id');
      await run.renewed();
      assert.equal(await run.read('device-id'), pem);
      const subjects = run.responder.issued.map(({ subject }) => subject);
      assert.equal(subjects.filter((subject) => subject.includes('from the csr')).length, 1);
    },
  ],
});
