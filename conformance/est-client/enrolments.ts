import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Context } from '../runner/index.ts';
import { besideEachOther, expectError, expectStatus, type Source, stringMember } from '../runner/index.ts';
import { BASIC, BOOTSTRAP, enrol, estWorld, IDENTITY } from './est-world.ts';
import { publicKeyOf } from './key-pairs.ts';
import { NO_TLS } from './log-words.ts';
import { makeRequest, subjectsOf } from './replay.ts';
import type { Behaviour } from './responder.ts';

type Handler = readonly [text: string, source: Source, run: (context: Context) => Promise<void>];

/** Warnings at load come before the first request is answered. */
const LOGGED_MS = 5_000;
const DEVICE = ['O=Test,CN=from the csr', 'CN=TEST issuing', 'CN=TEST root'];

const derOf = (pem: string): string => pem.replace(/-----[A-Z ]+-----|\s/g, '');

/** An answer of the second enrolment that must not replace what the first one brought. */
const keepsOld = (text: string, quirk: NonNullable<Behaviour['quirks']>[string]): Handler => [
  text,
  'spec',
  async (context) => {
    const run = await estWorld(context, {
      server: { auth: 'basic', quirks: { simpleenroll: { ...quirk, skip: 1, times: 5 } } },
    });
    const pem = stringMember(expectStatus(await enrol(run), 201), 'pem');
    assert.equal(expectError(await enrol(run), 500), 'internal error');
    assert.equal(await run.read('device-id'), pem);
  },
];

/** Checks of est.md 5 that no recording shows whole. */
export const enrolments = besideEachOther('EST client', {
  'EST-001/connection': [
    'one connection serves the CA list, the enrolment, and the next of both',
    'inferred',
    async (context) => {
      const run = await estWorld(context, { server: { auth: 'basic' } });
      for (let time = 0; time < 2; time += 1) expectStatus(await enrol(run), 201);
      assert.equal(run.responder.seen.length, 4);
      assert.equal(run.responder.connections, 1);
    },
  ],
  'EST-011': [
    'the body is exactly the request of the caller',
    'spec',
    async (context) => {
      const run = await estWorld(context, { server: { auth: 'basic' } });
      for (const kind of ['ec', 'rsa'] as const) {
        const csr = await makeRequest(kind);
        expectStatus(await enrol(run, 'device-id', csr), 201);
        const body = run.responder.seen.findLast(({ request }) => request.endsWith('/simpleenroll'))?.body ?? '';
        assert.equal(body.replaceAll('\n', ''), derOf(csr));
        assert.match(body, /^(?:[A-Za-z0-9+/=]{1,64}\n)+$/);
      }
    },
  ],
  'EST-019': [
    'a pending enrolment is repeated with the same request after the time that the server names',
    'spec',
    async (context) => {
      const pending = { status: 202, retry_after: 1, times: 2 };
      const run = await estWorld(context, { server: { auth: 'basic', quirks: { simpleenroll: pending } } });
      const started = performance.now();
      expectStatus(await enrol(run), 201);
      assert.ok(performance.now() - started >= 1_900, 'Retry-After was not waited for');
      const bodies = run.responder.seen
        .filter(({ request }) => request.endsWith('/simpleenroll'))
        .map(({ body }) => body);
      assert.deepEqual([bodies.length, new Set(bodies).size], [3, 1]);
    },
  ],
  'EST-023': keepsOld('an empty answer is an error, and what was stored stays', { body: 'emptycerts' }),
  'EST-025': keepsOld('a certificate for another key is an error, and what was stored stays', { key: 'other' }),
  'EST-022/kept': [
    'where the CA list fails what was stored stays',
    'spec',
    async (context) => {
      const quirks = { cacerts: { status: 404, skip: 1, times: 5 } };
      const run = await estWorld(context, { server: { auth: 'basic', quirks } });
      const pem = stringMember(expectStatus(await enrol(run), 201), 'pem');
      assert.equal(expectError(await enrol(run), 500), 'internal error');
      assert.equal(await run.read('device-id'), pem);
    },
  ],
  'EST-021': [
    'a refused password is tried once, shown to nobody and not logged',
    'spec',
    async (context) => {
      const auth = BASIC.replace('estpwd', 'sesame');
      const run = await estWorld(context, { server: { auth: 'basic' }, auth });
      assert.equal(expectError(await enrol(run), 500), 'internal error');
      const operations = run.responder.seen.map(({ request }) => request.split('/').at(-1));
      assert.equal(new Set(operations).size, operations.length, 'an operation was tried again');
      assert.ok(run.responder.seen.every(({ status }) => status === 401));
      await run.world.running('certd').logged(/401/, LOGGED_MS);
      const secret = Buffer.from('estuser:sesame').toString('base64');
      assert.ok(
        ![secret, 'sesame'].some((text) => run.world.running('certd').log.includes(text)),
        'the password is logged',
      );
    },
  ],
  'EST-036': [
    'without bootstrap nothing is sent, and the key of the absent identity stays',
    'spec',
    async (context) => {
      const run = await estWorld(context, { server: { auth: 'cert' }, auth: IDENTITY, leftOver: ['est-id'] });
      const key = await publicKeyOf(run.world, 'est-id');
      assert.equal(expectError(await enrol(run), 500), 'internal error');
      assert.deepEqual(run.responder.seen, []);
      assert.ok(key.equals(await publicKeyOf(run.world, 'est-id')), 'the key was made anew');
    },
  ],
  'EST-037': [
    'a bootstrap that the server refuses leaves the key',
    'spec',
    async (context) => {
      const server = { auth: 'cert', quirks: { simpleenroll: { status: 403 } } } as const;
      const run = await estWorld(context, { server, auth: `${IDENTITY}\n${BOOTSTRAP}`, leftOver: ['est-id'] });
      const key = await publicKeyOf(run.world, 'est-id');
      assert.equal(expectError(await enrol(run), 500), 'internal error');
      assert.ok(key.equals(await publicKeyOf(run.world, 'est-id')), 'the key was made anew');
      assert.equal(await run.read('est-id'), undefined);
    },
  ],
  'EST-038': [
    'the key of a first identity is on P-256',
    'spec',
    async (context) => {
      const run = await estWorld(context, { server: { auth: 'cert' }, auth: `${IDENTITY}\n${BOOTSTRAP}` });
      expectStatus(await enrol(run), 201);
      assert.equal((await publicKeyOf(run.world, 'est-id')).asymmetricKeyDetails?.namedCurve, 'prime256v1');
      assert.equal((await run.keyState('est-id')).matches, true);
    },
  ],
  'EST-032/401': [
    'an identity that the server answers with 401 is made anew with the bootstrap certificate',
    'inferred',
    async (context) => {
      const run = await estWorld(context, {
        server: { auth: 'cert', quirks: { cacerts: { status: 401, times: 1 } } },
        auth: `${IDENTITY}\n${BOOTSTRAP}`,
        held: [{ id: 'est-id', from: -60, to: 86_400 }],
      });
      expectStatus(await enrol(run), 201);
      assert.deepEqual(subjectsOf((await run.read('est-id')) ?? ''), DEVICE);
      assert.deepEqual(await run.keyState(), { changed: true, matches: true });
      const clients = run.responder.seen.map(({ tls }) => tls?.client);
      assert.ok(clients.includes('CN=TEST bootstrap'), `presented: ${clients.join(', ')}`);
    },
  ],
  'EST-045': [
    'a plain http URL works, with a warning when the configuration is read',
    'spec',
    async (context) => {
      const run = await estWorld(context, { server: { auth: 'basic' }, scheme: 'http' });
      await run.world.running('certd').logged(NO_TLS, LOGGED_MS);
      expectStatus(await enrol(run), 201);
    },
  ],
  'EST-041': [
    'no private key of an identity is in the files of certd',
    'spec',
    async (context) => {
      const run = await estWorld(context, { server: { auth: 'cert' }, auth: `${IDENTITY}\n${BOOTSTRAP}` });
      expectStatus(await enrol(run), 201);
      const { seen } = run.responder;
      assert.equal(seen.at(-1)?.tls?.version, 'TLSv1.3');
      const home = run.world.path('certd/home');
      const files = (await readdir(home, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
      assert.ok(files.length >= 2, 'identity and certificate are not stored');
      for (const { parentPath, name } of files)
        assert.doesNotMatch(await readFile(join(parentPath, name), 'latin1'), /PRIVATE KEY/);
    },
  ],
});
