import { createDecipheriv, createHash, createHmac, createPrivateKey, privateDecrypt, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import type { DpsSimulator } from './index.ts';
import { assertRefusal, call, closeAll, poll, reason, SCOPE, start, token, VERSION } from './testing.ts';

/** A TPM in software: the keys of a recorded vector, private parts given. */
const golden = new URL('../../fixtures/golden/tpm.json', import.meta.url);
const { vectors } = JSON.parse(readFileSync(golden, 'utf8')) as {
  vectors: Record<
    'software' | 'swtpm',
    Record<'endorsement_key' | 'storage_root_key' | 'ekPrivate' | 'srkPrivate', string>
  >;
};
const SHOWN = { endorsementKey: vectors.software.endorsement_key, storageRootKey: vectors.software.storage_root_key };
const OTHER = { endorsementKey: vectors.swtpm.endorsement_key, storageRootKey: vectors.swtpm.storage_root_key };
const attestation = { type: 'tpm', endorsementKey: SHOWN.endorsementKey } as const;

function parts(blob: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < blob.length; ) {
    const size = blob.readUInt16BE(at);
    found.push(blob.subarray(at + 2, at + 2 + size));
    at += 2 + size;
  }
  return found;
}

function open(privateKey: string, label: string, secret: Buffer, context: Buffer, wrapped: Buffer): Buffer {
  const key = createPrivateKey(privateKey);
  const seed = privateDecrypt({ key, oaepHash: 'sha256', oaepLabel: Buffer.from(label) }, secret);
  const material = Buffer.concat([
    Buffer.from('00000001', 'hex'),
    Buffer.from('STORAGE\0'),
    context,
    Buffer.from('00000080', 'hex'),
  ]);
  return cfb(createHmac('sha256', seed).update(material).digest().subarray(0, 16), wrapped.subarray(34));
}

function cfb(key: Buffer, bytes: Buffer): Buffer {
  const decipher = createDecipheriv('aes-128-cfb', key, Buffer.alloc(16));
  return Buffer.concat([decipher.update(bytes), decipher.final()]);
}

/** What a TPM makes of a blob: its HMAC key, base64. Integrity is left to real TPMs, which `test/tpm-*.test.ts` use. */
function unwrap(blob: string): string {
  const [
    credential = Buffer.alloc(0),
    secret = Buffer.alloc(0),
    duplicate = Buffer.alloc(0),
    seed = Buffer.alloc(0),
    area = Buffer.alloc(0),
  ] = parts(Buffer.from(blob, 'base64'));
  const { ekPrivate, srkPrivate } = vectors.software;
  const innerKey = open(
    ekPrivate,
    'IDENTITY\0',
    secret,
    nameOf(Buffer.from(SHOWN.storageRootKey, 'base64').subarray(2)),
    credential,
  ).subarray(2);
  const inner = cfb(innerKey, open(srkPrivate, 'DUPLICATE\0', seed, nameOf(area), duplicate));
  const sensitive = inner.subarray(34 + 2);
  return sensitive.subarray(2 + 2 + 2 + 32 + 2).toString('base64');
}

function nameOf(area: Buffer): Buffer {
  return Buffer.concat([Buffer.from('000b', 'hex'), createHash('sha256').update(area).digest()]);
}

const put = (dps: DpsSimulator, id: string, tpm: object | undefined, authorization?: string) =>
  call(dps, 'PUT', `/${SCOPE}/registrations/${id}/register?${VERSION}`, {
    body: JSON.stringify({ registrationId: id, tpm }),
    headers: { 'content-type': 'application/json' },
    ...(authorization === undefined ? {} : { authorization }),
  });

afterEach(closeAll);

describe('TPM attestation', () => {
  it('CD-029: challenges, takes the token of the key that only the TPM can open, and hands the hub key out the same way', async () => {
    const { dps, hub1 } = await start();
    dps.enrollments.addIndividual({
      registrationId: 'Tpm-01',
      deviceId: 'Tpm-Dev',
      hubs: [hub1.hostName],
      attestation,
    });
    const challenge = await put(dps, 'Tpm-01', SHOWN);
    expect(challenge.status).toBe(401);
    expect(Object.keys(challenge.body)).toEqual(['message', 'keyName', 'authenticationKey', 'trackingId']);
    const signed = token('Tpm-01', unwrap(challenge.body.authenticationKey));
    for (const tpm of [SHOWN, undefined]) expect((await put(dps, 'Tpm-01', tpm, signed)).status).toBe(202);
    const accepted = await put(dps, 'Tpm-01', undefined, signed);
    const assigning = await poll(dps, 'Tpm-01', accepted.body.operationId, { authorization: signed });
    expect(assigning.body.status).toBe('assigning');
    const { body } = await poll(dps, 'Tpm-01', accepted.body.operationId, { authorization: signed });
    expect(body).toMatchObject({
      status: 'assigned',
      registrationState: { deviceId: 'Tpm-Dev', assignedHub: hub1.hostName },
    });
    const hubKey = unwrap(body.registrationState.tpm.authenticationKey);
    expect(hub1.devices.get('Tpm-Dev')?.authentication).toMatchObject({ type: 'sas', primaryKey: hubKey });
    expect(hubKey).not.toBe(unwrap(challenge.body.authenticationKey));
  });

  it('refuses another TPM, a token of another key, and one without a challenge', async () => {
    const { dps } = await start();
    dps.enrollments.addIndividual({
      registrationId: 'tpm',
      attestation: { ...attestation, storageRootKey: SHOWN.storageRootKey },
    });
    const signed = token('tpm', randomBytes(32).toString('base64'));
    assertRefusal(await put(dps, 'tpm', undefined, signed), 401, 401002);
    expect(reason(dps)).toMatch(/has not asked for a challenge/);
    for (const tpm of [OTHER, { ...SHOWN, storageRootKey: OTHER.storageRootKey }, undefined]) {
      const answer = await put(dps, 'tpm', tpm);
      assertRefusal(answer, 401, 401002);
      expect(reason(dps)).toMatch(/not the enrolled one|no keys/);
    }
    for (const tpm of [{}, { ...SHOWN, storageRootKey: '!' }, 5])
      assertRefusal(await put(dps, 'tpm', tpm as object), 400, 400004);
    expect((await put(dps, 'tpm', SHOWN)).status).toBe(401);
    assertRefusal(await put(dps, 'tpm', SHOWN, signed), 401, 401002);
    expect(reason(dps)).toMatch(/signature is wrong/);
  });

  it('a new challenge takes the place of the last', async () => {
    const { dps } = await start();
    dps.enrollments.addIndividual({ registrationId: 'tpm', attestation });
    const first = await put(dps, 'tpm', SHOWN);
    const second = await put(dps, 'tpm', SHOWN);
    const signedBy = (blob: string) => token('tpm', unwrap(blob));
    assertRefusal(await put(dps, 'tpm', SHOWN, signedBy(first.body.authenticationKey)), 401, 401002);
    expect((await put(dps, 'tpm', SHOWN, signedBy(second.body.authenticationKey))).status).toBe(202);
  });

  it('an endorsement key belongs to one enrolment, and must be one', async () => {
    const { dps } = await start();
    dps.enrollments.addIndividual({ registrationId: 'tpm', attestation });
    expect(() => dps.enrollments.addIndividual({ registrationId: 'other', attestation })).toThrow(
      /the endorsement key is that of the enrolment "tpm" already/,
    );
    expect(dps.enrollments.individual('other')).toBeUndefined();
    dps.enrollments.addIndividual({ registrationId: 'TPM', attestation, enabled: false });
    expect(dps.enrollments.list()).toHaveLength(1);
    dps.enrollments.remove('tpm');
    dps.enrollments.addIndividual({ registrationId: 'other', attestation });
    const wrong = { type: 'tpm', endorsementKey: Buffer.from('no key').toString('base64') } as const;
    expect(() => dps.enrollments.addIndividual({ registrationId: 'x', attestation: wrong })).toThrow(/not an RSA-2048/);
  });
});
