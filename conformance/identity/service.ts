import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { exchange, expectError, expectStatus, group } from '../runner/index.ts';
import { ask, HEAD, identitydAlone, LISTED_LOCAL, LOCAL, principal, STRANGER } from './world.ts';

/** Method, path and body of every route that needs an authorised caller. */
const GUARDED: readonly (readonly [method: string, path: string, body?: unknown])[] = [
  ['GET', '/identities/identity'],
  ['POST', '/identities/device', { type: 'aziot' }],
  ['GET', '/identities/modules?type=aziot'],
  ['POST', '/identities/modules', { type: 'aziot', moduleId: 'm' }],
  ['GET', '/identities/modules/m?type=aziot'],
  ['PUT', '/identities/modules/m?type=aziot', { type: 'aziot', moduleId: 'm' }],
  ['DELETE', '/identities/modules/m?type=aziot'],
  ['POST', '/identities/device/reprovision', { type: 'aziot' }],
];

export const routes = group('identityd routes', {
  'IS-005': [
    'a preview version is unknown',
    'spec',
    async (context) => {
      const world = await context.shared(identitydAlone);
      const request = { method: 'GET', target: '/identities/identity?api-version=2020-09-01-preview' };
      expectError(
        await exchange(world.socket('identityd'), 0, request),
        400,
        'invalid api-version "2020-09-01-preview"',
      );
    },
  ],
  'IS-007': [
    'provisioning information came with 2021-12-01',
    'spec',
    async (context) => {
      const world = await context.shared(identitydAlone);
      const get = (version: string) =>
        exchange(world.socket('identityd'), 0, {
          method: 'GET',
          target: `/identities/provisioning?api-version=${version}`,
        });
      expectError(await get('2020-09-01'), 404, 'not found');
      expectStatus(await get('2021-12-01'), 200);
    },
  ],
  'IS-008': [
    'paths are exact and case-sensitive',
    'spec',
    async (context) => {
      const world = await context.shared(identitydAlone);
      for (const path of ['/identities/modules/', '/Identities/identity'])
        expectError(await ask(world, 0, 'GET', path), 404, 'not found');
    },
  ],
  'IS-010': [
    'DELETE of the device is no method',
    'spec',
    async (context) => {
      const world = await context.shared(identitydAlone);
      expectError(await ask(world, 0, 'DELETE', '/identities/device'), 400, 'method not allowed');
    },
  ],
  'IS-018': [
    'a stranger may use nothing but provisioning information and trust bundle',
    'spec',
    async (context) => {
      context.needRoot();
      const world = await context.shared(identitydAlone);
      for (const [method, path, body] of GUARDED)
        expectError(await ask(world, STRANGER, method, path, body), 401, 'authorization error');
      expectStatus(await ask(world, STRANGER, 'GET', '/identities/provisioning'), 200);
      expectStatus(await ask(world, STRANGER, 'GET', '/trust-bundle'), 200);
    },
  ],
  'IS-029': [
    'authorisation comes before the check of the query',
    'spec',
    async (context) => {
      context.needRoot();
      const world = await context.shared(identitydAlone);
      expectError(await ask(world, STRANGER, 'GET', '/identities/modules/m'), 401, 'authorization error');
    },
  ],
  'IS-034': [
    'a device without a cloud starts, has no device identity and says so',
    'spec',
    async (context) => {
      const world = await context.shared(identitydAlone);
      assert.deepEqual(expectStatus(await ask(world, 0, 'GET', '/identities/provisioning'), 200), { source: 'none' });
      expectError(
        await ask(world, 0, 'POST', '/identities/device', { type: 'aziot' }),
        400,
        'device identity not found',
      );
    },
  ],
  'IS-072': [
    'the type of an update comes from the query alone',
    'spec',
    async (context) => {
      const world = await context.shared(identitydAlone);
      const body = { type: 'aziot', moduleId: 'm' };
      expectError(await ask(world, LOCAL, 'PUT', '/identities/modules/m', body), 400, 'missing');
    },
  ],
  'IS-088': [
    'a local identity is issued to its principal on asking, not by creation',
    'spec',
    async (context) => {
      context.needRoot();
      const world = await context.shared(identitydAlone);
      expectError(
        await ask(world, LOCAL, 'POST', '/identities/modules', { type: 'local', moduleId: 'l' }),
        400,
        'already exists',
      );
      expectError(await ask(world, LISTED_LOCAL, 'GET', '/identities/modules/other?type=local'), 401);
    },
  ],
  'IS-094': [
    'the trust bundle is empty',
    'spec',
    async (context) => {
      const world = await context.shared(identitydAlone);
      assert.deepEqual(expectStatus(await ask(world, 0, 'GET', '/trust-bundle'), 200), { certificate: '' });
    },
  ],
  'IS-002': [
    'the socket has mode 0660',
    'spec',
    async (context) => {
      const world = await context.shared(identitydAlone);
      assert.equal((await stat(world.socket('identityd'))).mode & 0o777, 0o660);
    },
  ],
});

const NONE = '[provisioning]\nsource = "none"\n';
const MANUAL =
  '[provisioning]\nsource = "manual"\niothub_hostname = "hub.invalid"\ndevice_id = "d"\n[provisioning.authentication]\nmethod = "sas"\ndevice_id_pk = "k"\n';

/** Configurations that end the start with exit 1, and a word of the log. */
const WRONG: readonly (readonly [id: string, text: string, toml: string, word: RegExp])[] = [
  [
    'IS-031',
    'a principal name given twice',
    `${HEAD}${MANUAL}${principal(1, 'twice', ['module'])}${principal(2, 'twice', ['module'])}`,
    /twice/,
  ],
  ['IS-032', 'a local principal without [localid]', `${HEAD}${NONE}${principal(1, 'l', ['local'])}`, /./],
  [
    'IS-033',
    'localid options on a module principal',
    `${HEAD}${MANUAL}[localid]\ndomain = "x"\n${principal(1, 'm', ['module'])}localid = { type = "x509", attributes = "server" }\n`,
    /./,
  ],
  ['IS-034/module', 'a module principal without a cloud', `${HEAD}${NONE}${principal(1, 'm', ['module'])}`, /./],
  [
    'IS-035',
    'a cloud timeout below seventy seconds',
    `cloud_timeout_sec = 69\n${HEAD}${MANUAL}`,
    /cloud_timeout_sec|69/,
  ],
  ['IS-036', 'an unknown provisioning source', `${HEAD}[provisioning]\nsource = "dps2"\n`, /./],
  ['IS-036/idtype', 'an unknown identity type', `${HEAD}${MANUAL}${principal(1, 'm', ['Module'])}`, /./],
  ['IS-036/hostname', 'no host name', `homedir = "@ROOT@/identityd/home"\n${NONE}`, /hostname/],
  [
    'IS-057',
    'DPS with a parent gateway',
    `${HEAD}[provisioning]\nsource = "dps"\nlocal_gateway_hostname = "parent"\nglobal_endpoint = "https://dps.invalid"\nscope_id = "s"\n[provisioning.attestation]\nmethod = "symmetric_key"\nregistration_id = "r"\nsymmetric_key = "k"\n`,
    /nested/i,
  ],
  ['IDENTITYD-BAD-01', 'a provisioning table without source', `${HEAD}[provisioning]\n`, /source|provisioning/],
  ['IDENTITYD-BAD-02', 'manual provisioning without a hub', `${HEAD}[provisioning]\nsource = "manual"\n`, /./],
  ['IDENTITYD-BAD-03', 'a uid that is negative', `${HEAD}${NONE}[[principal]]\nuid = -1\nname = "x"\n`, /uid/],
];

export const configuration = group('identityd configuration', {
  ...Object.fromEntries(
    WRONG.map(([id, text, main, word]) => [
      id,
      [
        `${text} ends the start`,
        'spec',
        async (context) => {
          const world = await context.fresh();
          await world.configure('identityd', { main });
          const ended = await world.startExpectingExit('identityd');
          assert.equal(ended.code, 1, ended.log);
          assert.match(ended.log, word);
        },
      ] as const,
    ]),
  ),
  'IS-035/seventy': [
    'a cloud timeout of seventy seconds starts',
    'spec',
    async (context) => {
      const world = await context.fresh();
      await world.configure('identityd', { main: `cloud_timeout_sec = 70\n${HEAD}${NONE}` });
      await world.start('identityd');
    },
  ],
  'IS-037': [
    'all settings may stand in drop-ins',
    'spec',
    async (context) => {
      const world = await context.fresh();
      await world.configure('identityd', { dropIns: { 'a.toml': HEAD, 'b.toml': NONE } });
      await world.start('identityd');
    },
  ],
});
