import { expect, test } from 'vitest';
import { recording } from './recorded.ts';
import { unwrapKey } from './unwrap-key.ts';
import { wrapKey, wrapWithFlaw } from './wrapped-key.ts';

const { software } = recording.vectors;
const secrets = { ...software, srkName: Buffer.from(software.srkName, 'hex') };
const keys = {
  endorsementKey: Buffer.from(software.endorsement_key, 'base64'),
  storageRootKey: Buffer.from(software.storage_root_key, 'base64'),
};
const key = Buffer.from(software.hmacKey, 'hex');

test('the recorded blob opens by the recorded private keys, each value in it as recorded', () => {
  const opened = unwrapKey(Buffer.from(software.blob, 'base64'), secrets);
  expect(opened.key).toEqual(key);
  expect(opened.name.toString('hex')).toBe(software.authKeyName);
});

test('a bit turned in any of the five structures of the recorded blob is found', () => {
  const parts = software.parts.map((part) => Buffer.from(part, 'hex'));
  parts.forEach((part, at) => {
    const flawed = Buffer.from(part);
    flawed[flawed.length - 1] = (flawed.at(-1) ?? 0) ^ 1;
    expect(() => unwrapKey(Buffer.concat(parts.with(at, flawed)), secrets)).toThrow();
  });
});

test("this suite's own blobs open the same way, and those with a flaw do not", () => {
  expect(unwrapKey(wrapKey(keys, { key }), secrets).key).toEqual(key);
  for (const part of [0, 1, 2, 3, 4] as const)
    expect(() => unwrapKey(wrapWithFlaw(keys, { key }, part), secrets)).toThrow();
});
