import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { expectAnswer, expectDpsError, isBase64, isText, needed, send } from '../azure/index.ts';
import { type Context, group } from '../runner/index.ts';
import { dpsOf, pathOf, register, tokenOf, VERSION } from './device.ts';

async function withTpm(context: Context) {
  const dps = await dpsOf(context);
  const { registrationId, endorsementKey, storageRootKey, otherEndorsementKey } = needed(context, dps.tpm, 'tpm');
  return { dps, id: registrationId, tpm: { endorsementKey, storageRootKey }, otherEndorsementKey };
}

/** The lengths of the TPM2B structures of a key that is handed out; rejects when they do not fill it. */
function structuresOf(authenticationKey: string): number[] {
  const blob = Buffer.from(authenticationKey, 'base64');
  const sizes: number[] = [];
  let at = 0;
  while (at < blob.length) {
    const size = blob.readUInt16BE(at);
    sizes.push(size);
    at += 2 + size;
  }
  assert.equal(at, blob.length, 'the structures fill the blob');
  return sizes;
}

export const tpm = group('DPS TPMs', {
  'DPS-060': [
    'a TPM that shows its keys without Authorization is challenged: 401 with authenticationKey in base64',
    'sdk',
    async (context) => {
      const { dps, id, tpm } = await withTpm(context);
      const body = expectAnswer(await register(dps, id, {}, { tpm }), 401);
      assert.ok(isBase64(body['authenticationKey']), `authenticationKey in ${JSON.stringify(body)}`);
      assert.ok(isText(body['message']), 'message');
    },
  ],
  'DPS-061': [
    'the key of a challenge is the six structures that a TPM takes: credential, secret, private, secret, public, data',
    'sdk',
    async (context) => {
      const { dps, id, tpm } = await withTpm(context);
      const { authenticationKey } = expectAnswer(await register(dps, id, {}, { tpm }), 401);
      const sizes = structuresOf(String(authenticationKey));
      assert.ok(sizes.length === 5 || sizes.length === 6, `${sizes.length} structures`);
      for (const size of sizes.slice(0, 5)) assert.ok(size > 0, `sizes ${sizes.join(', ')}`);
    },
  ],
  'DPS-062': [
    'each challenge hands out a key of its own',
    'spec',
    async (context) => {
      const { dps, id, tpm } = await withTpm(context);
      const one = expectAnswer(await register(dps, id, {}, { tpm }), 401)['authenticationKey'];
      assert.notEqual(expectAnswer(await register(dps, id, {}, { tpm }), 401)['authenticationKey'], one);
    },
  ],
  'DPS-063': [
    'another TPM is refused with 401 and is handed no key',
    'spec',
    async (context) => {
      const { dps, id, tpm, otherEndorsementKey } = await withTpm(context);
      const endorsementKey = needed(context, otherEndorsementKey, 'tpm.otherEndorsementKey');
      const body = expectDpsError(await register(dps, id, {}, { tpm: { ...tpm, endorsementKey } }), 401);
      assert.equal(body['authenticationKey'], undefined);
    },
  ],
  'DPS-064': [
    'keys that are no base64, or one of them alone, are refused with 400',
    'spec',
    async (context) => {
      const { dps, id, tpm } = await withTpm(context);
      for (const wrong of [{ ...tpm, endorsementKey: '???' }, { endorsementKey: tpm.endorsementKey }])
        expectDpsError(await register(dps, id, {}, { tpm: wrong }), 400);
    },
  ],
  'DPS-065': [
    'a token that is not signed with the key of the challenge is refused with 401',
    'spec',
    async (context) => {
      const { dps, id, tpm } = await withTpm(context);
      expectAnswer(await register(dps, id, {}, { tpm }), 401);
      const token = tokenOf(dps, { registrationId: id, primaryKey: randomBytes(32).toString('base64') });
      expectDpsError(await register(dps, id, { token }, { tpm }), 401);
    },
  ],
  'DPS-066': [
    'a device that is enrolled by its TPM and shows nothing of it is refused with 401',
    'spec',
    async (context) => {
      const { dps, id } = await withTpm(context);
      const target = `${pathOf(dps, id)}/register?${VERSION}`;
      const answer = await send(dps, { method: 'PUT', target, body: { registrationId: id } });
      assert.equal(expectDpsError(answer, 401)['authenticationKey'], undefined);
    },
  ],
});
