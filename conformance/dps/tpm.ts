import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { expectAnswer, expectDpsError, isBase64, isText, needed, send } from '../azure/index.ts';
import { type Context, group } from '../runner/index.ts';
import { unwrapKey } from '../tpm/index.ts';
import { assigned, dpsOf, pathOf, register, tokenOf, VERSION } from './device.ts';

async function withTpm(context: Context) {
  const dps = await dpsOf(context);
  const { registrationId, endorsementKey, storageRootKey, otherEndorsementKey } = needed(context, dps.tpm, 'tpm');
  return { dps, id: registrationId, tpm: { endorsementKey, storageRootKey }, otherEndorsementKey };
}

/** The lengths of the TPM2B structures of a key that is handed out; rejects when they do not fill it. */
function structuresOf(blob: Buffer): number[] {
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

/** The description with the private halves of the TPM's keys: what its TPM does to take a key. */
async function withSoftwareTpm(context: Context) {
  const { dps, id, tpm } = await withTpm(context);
  const ekPrivate = needed(context, dps.tpm?.endorsementPrivatePem, 'tpm.endorsementPrivatePem');
  const srkPrivate = needed(context, dps.tpm?.storageRootPrivatePem, 'tpm.storageRootPrivatePem');
  const area = Buffer.from(tpm.storageRootKey, 'base64').subarray(2);
  const srkName = Buffer.concat([Buffer.from('000b', 'hex'), createHash('sha256').update(area).digest()]);
  const taken = (authenticationKey: unknown): string => {
    const blob = Buffer.from(String(authenticationKey), 'base64');
    // a sixth structure is not for the TPM
    const end = structuresOf(blob)
      .slice(0, 5)
      .reduce((sum, size) => sum + 2 + size, 0);
    return unwrapKey(blob.subarray(0, end), { ekPrivate, srkPrivate, srkName }).key.toString('base64');
  };
  /** Asks for a challenge; gives a token that is signed with its key. */
  const challenged = async () => {
    const { authenticationKey } = expectAnswer(await register(dps, id, {}, { tpm }), 401);
    const primaryKey = taken(authenticationKey);
    return { primaryKey, token: tokenOf(dps, { registrationId: id, primaryKey }) };
  };
  return { dps, id, tpm, taken, challenged };
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
      const sizes = structuresOf(Buffer.from(String(authenticationKey), 'base64'));
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
  'DPS-067': [
    'the key of the challenge opens in the TPM and signs the registration; what is assigned brings another for the hub',
    'sdk',
    async (context) => {
      const { dps, id, taken, challenged } = await withSoftwareTpm(context);
      const { primaryKey, token } = await challenged();
      const state = await assigned(dps, id, { token });
      const { authenticationKey } = (state['tpm'] ?? {}) as { authenticationKey?: unknown };
      assert.ok(isBase64(authenticationKey), `tpm.authenticationKey in ${JSON.stringify(state)}`);
      assert.notEqual(taken(authenticationKey), primaryKey);
    },
  ],
  'DPS-068': [
    'the keys of the TPM may be shown again beside the token, as SDKs do',
    'sdk',
    async (context) => {
      const { dps, id, tpm, challenged } = await withSoftwareTpm(context);
      const { token } = await challenged();
      await assigned(dps, id, { token }, { tpm });
    },
  ],
  'DPS-069': [
    'a new challenge ends the one before it',
    'inferred',
    async (context) => {
      const { dps, id, challenged } = await withSoftwareTpm(context);
      const { token: late } = await challenged();
      const { token } = await challenged();
      expectDpsError(await register(dps, id, { token: late }), 401);
      expectAnswer(await register(dps, id, { token }), 202, 200);
    },
  ],
});
