import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { answered, expectError, expectStatus, group, jsonOf } from '../runner/index.ts';
import { HELLO, hmac, KEY, TpmWorld } from './world.ts';
import { wrapKey } from './wrapped-key.ts';

/** Signing, the protocol, and what happens to a TPM. */
export const signing = group('tpmd: sign, protocol, faults', {
  'TPM-015': [
    'signatures are HMAC-SHA256 of any amount of data',
    'reference-run',
    async (context) => {
      const tpm = await TpmWorld.withKey(context);
      for (const size of [0, 1, 1024, 1025, 2048, 5000]) await tpm.signsWith(KEY, randomBytes(size));
      await tpm.nothingLoaded();
    },
  ],
  'TPM-026': [
    'without a key it is 500 and a line in the log, and the TPM is not asked',
    'spec',
    async (context) => {
      const tpm = await TpmWorld.fresh(context);
      tpm.proxy.takeTrace();
      for (const size of [5, 2000])
        assert.equal(expectError(await tpm.sign(Buffer.alloc(size)), 500), 'internal error');
      await tpm.logged(
        /\[ERR!\] - !!! internal error\n.*!!! caused by: could not sign with auth key\n.*!!! caused by: /,
      );
      assert.deepEqual(tpm.proxy.takeTrace(), []);
    },
  ],
  'TPM-027': [
    'bodies are checked',
    'reference-run',
    async (context) => {
      const tpm = await TpmWorld.fresh(context);
      for (const data of ['!!!!', '-_-_', 'aGVsbG8', 'aGVs bG8=', 5, null])
        expectError(await tpm.ask('POST', '/sign_with_auth_key', { data }), 422);
      for (const path of ['/sign_with_auth_key', '/import_auth_key']) {
        expectError(await tpm.ask('POST', path, {}), 422);
        expectError(await tpm.ask('POST', path, '{'), 422);
        expectError(await tpm.ask('POST', path), 400, 'missing request body');
      }
    },
  ],
  'TPM-028': [
    'other methods are 400',
    'reference-run',
    async (context) => {
      const tpm = await TpmWorld.fresh(context);
      for (const path of ['/import_auth_key', '/sign_with_auth_key'])
        expectError(await tpm.ask('GET', path), 400, 'method not allowed');
      for (const method of ['POST', 'PUT', 'DELETE', 'PATCH'])
        expectError(await tpm.ask(method, '/get_tpm_keys', {}), 400, 'method not allowed');
    },
  ],
  'TPM-029': [
    'paths are compared as they are',
    'reference-run',
    async (context) => {
      const tpm = await TpmWorld.fresh(context);
      for (const path of ['/get_tpm_keys/', '/GET_TPM_KEYS', '/get%5Ftpm_keys', '/nosuch'])
        expectError(await tpm.ask('GET', path), 404, 'not found');
    },
  ],
  'TPM-030': [
    'only 2020-09-01 is known',
    'reference-run',
    async (context) => {
      const tpm = await TpmWorld.fresh(context);
      expectError(await tpm.ask('GET', '/get_tpm_keys?api-version=2021-05-01'), 400, 'invalid api-version');
      expectError(await tpm.ask('GET', '/get_tpm_keys?x=1'), 400, 'api-version not specified');
      expectStatus(await tpm.ask('GET', '/get_tpm_keys?api-version=2020-09-01&foo=bar'), 200);
    },
  ],
  'TPM-031': [
    'twenty callers of four users at a time are all answered right',
    'reference-run',
    async (context) => {
      context.needRoot();
      const tpm = await TpmWorld.withKey(context);
      const calls = Array.from({ length: 20 }, async (_, at) => {
        const data = randomBytes(at * 200);
        assert.equal(expectStatus(await tpm.sign(data, 4001 + (at % 4)), 200)['digest'], hmac(KEY, data));
      });
      await Promise.all(calls);
    },
  ],
  'TPM-032': [
    'an answer tells nothing of the TPM or the key',
    'reference-run',
    async (context) => {
      const tpm = await TpmWorld.withKey(context);
      tpm.proxy.play('HMAC', { kind: 'code', code: 0x921 });
      const answer = answered(await tpm.sign(HELLO));
      assert.deepEqual([answer.status, jsonOf(answer)], [500, { message: 'internal error' }]);
      assert.ok(!tpm.log.includes(KEY.toString('base64')) && !tpm.log.includes(KEY.toString('hex')));
    },
  ],
  'TPM-035': [
    'RETRY, YIELDED and TESTING are met by asking again, five times in all; LOCKOUT and NV_RATE are not',
    'reference-run',
    async (context) => {
      const tpm = await TpmWorld.withKey(context);
      for (const code of [0x922, 0x908, 0x90a]) {
        tpm.proxy.play('HMAC', { kind: 'code', code });
        await tpm.signsWith(KEY);
        assert.deepEqual(tpm.proxy.takeTrace(), [`HMAC -> 0x${code.toString(16)}`, 'HMAC']);
      }
      tpm.proxy.play('SequenceUpdate', { kind: 'code', code: 0x922 });
      await tpm.signsWith(KEY, randomBytes(3000));
      for (const [code, asked] of [
        [0x922, 5],
        [0x921, 1],
        [0x920, 1],
      ] as const) {
        tpm.proxy.takeTrace();
        tpm.proxy.play('HMAC', { kind: 'code', code }, 20);
        expectError(await tpm.sign(HELLO), 500);
        assert.equal(tpm.proxy.takeTrace().length, asked);
        tpm.proxy.calm();
      }
    },
  ],
  'TPM-036': [
    'a TPM that is away costs the requests that meet it, and no more',
    'spec',
    async (context) => {
      const tpm = await TpmWorld.withKey(context);
      await tpm.swtpm.reboot();
      await tpm.signsWith(KEY);
      await tpm.swtpm.powerOff();
      for (let number = 0; number < 3; number += 1) {
        expectError(await tpm.sign(HELLO), 500);
        expectError(await tpm.ask('GET', '/get_tpm_keys'), 500);
      }
      await tpm.swtpm.powerOn();
      await tpm.signsWith(KEY);
      await tpm.keys();
      assert.equal(tpm.world.running('tpmd').hasEnded, false);
    },
  ],
  'TPM-036/answers': [
    'answers that are none, and lost ones, cost the requests that meet them, and nothing stays loaded',
    'spec',
    async (context) => {
      const tpm = await TpmWorld.withKey(context);
      const keys = await tpm.keys();
      for (const bytes of ['80', '8001000000', '8001000000090000', '80010000ffff00000000']) {
        tpm.proxy.play('HMAC', { kind: 'bytes', bytes: Buffer.from(bytes, 'hex') }, 2);
        expectError(await tpm.sign(HELLO), 500);
        tpm.proxy.calm();
        await tpm.signsWith(KEY);
      }
      for (const name of ['PolicySecret', 'ActivateCredential', 'Import', 'HMAC'] as const) {
        tpm.proxy.play(name, { kind: 'lose' });
        expectError(await tpm.import(wrapKey(keys, { key: randomBytes(32) })), 500);
        await tpm.signsWith(KEY);
        await tpm.nothingLoaded();
      }
      tpm.proxy.play('SequenceUpdate', { kind: 'cut' });
      expectError(await tpm.sign(randomBytes(4000)), 500);
      await tpm.signsWith(KEY);
      await tpm.nothingLoaded();
    },
  ],
  'TPM-038': [
    '1 MiB is signed right while others wait',
    'reference-run',
    async (context) => {
      const tpm = await TpmWorld.withKey(context);
      const data = randomBytes(1024 * 1024);
      await Promise.all([tpm.signsWith(KEY, data), tpm.signsWith(KEY)]);
      await tpm.nothingLoaded();
    },
  ],
});
