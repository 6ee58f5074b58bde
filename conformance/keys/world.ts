import { generateKeyPairSync } from 'node:crypto';
import published from '../../fixtures/vectors/symmetric-keys.json' with { type: 'json' };
import type { SharedWorld, World } from '../runner/index.ts';

/** The caller that has the principal `test*` in the keyd worlds. */
export const USER = 4001;
/** A caller without any principal. */
export const STRANGER = 4002;
/** Bytes 00 to 1f, the key of the published vectors. */
export const VECTOR_KEY = Buffer.from(published.key, 'base64');

/** Published values under that key (keys-service.md 6.2); binary ones in base64. */
export const VECTORS = {
  hmacOfHello: published.hmac[0]?.mac ?? '',
  /** Derivation data 01 02 ff. */
  derived: published.derive[0]?.key ?? '',
  /** IV `123456789012`, associated data `someaad`, plaintext `someplaintext`; version bytes 2 and 1. */
  aeadV2: published.aes256gcm[0]?.version2 ?? '',
  aeadV1: published.aes256gcm[0]?.version1 ?? '',
} as const;

const PRELOADED = ['sym', 'p384', 'sec1', 'pkcs1', 'ed', 'garbage', 'missing'];

/** Writes the preloaded key files of the recordings: one of each form that a file may have. */
export async function writePreloadedKeys(world: World): Promise<void> {
  const pem = { type: 'pkcs8', format: 'pem' } as const;
  const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve }).privateKey;
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  await world.file('pre/sym', VECTOR_KEY);
  await world.file('pre/p384', ec('secp384r1').export(pem));
  await world.file('pre/sec1', ec('prime256v1').export({ type: 'sec1', format: 'pem' }));
  await world.file('pre/pkcs1', rsa.export({ type: 'pkcs1', format: 'pem' }));
  await world.file('pre/ed', generateKeyPairSync('ed25519').privateKey.export(pem));
  await world.file('pre/garbage', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n');
}

/** The configuration of a keyd with a file store, more lines of `[aziot_keys]` in between. */
export function keydConfig(storeLines = ''): string {
  const preloaded = PRELOADED.map((name) => `test-${name} = "file://@ROOT@/pre/${name}"`).join('\n');
  return [
    '[aziot_keys]',
    'homedir_path = "@ROOT@/keyd/home"',
    storeLines,
    '[preloaded_keys]',
    preloaded,
    '[[principal]]',
    `uid = ${USER}`,
    'keys = ["test*"]',
    '',
  ].join('\n');
}

/** A keyd on files with the preloaded keys and one principal. */
export const keydOnFiles: SharedWorld = {
  name: 'keyd on files',
  async build(world) {
    await writePreloadedKeys(world);
    await world.configure('keyd', { main: keydConfig() });
    await world.start('keyd');
  },
};
