import { ExtendedKeyUsageExtension } from '@peculiar/x509';
import type { World } from '../runner/index.ts';
import { type Authorities, DAY_MS, issue, issueHolder, newKey, pemOf, privatePem } from './ca.ts';
import { certificateFile } from './certificate-file.ts';
import { makePair } from './key-pairs.ts';

const EST_ID = certificateFile('est-id');
const CLIENT = [new ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.2'])];

/** What is stored of the identity `est-id` before certd starts, by scenario of the recording. */
interface Stored {
  readonly subject?: string;
  readonly fromMs?: number;
  readonly toMs?: number;
  readonly kind?: 'ec' | 'rsa';
  /** `unknown`: signed by nobody the server knows. */
  readonly issuer?: 'unknown';
  readonly chain?: 'whole';
  /** Where its key is: a file that is preloaded, made in keyd, nowhere, or that of another certificate. */
  readonly key?: 'preloaded' | 'created' | 'none' | 'other';
  /** In place of a certificate. */
  readonly text?: string;
}

const IDENTITY: Stored = { subject: 'CN=TEST identity', fromMs: -60_000, toMs: 30 * DAY_MS };
const EXPIRED: Stored = { subject: 'CN=TEST expired identity', fromMs: -3_600_000, toMs: -10_000 };
const DUE: Stored = { subject: 'CN=TEST due identity', fromMs: -90 * DAY_MS, toMs: 10 * DAY_MS };
const KEY_ONLY: Stored = { key: 'preloaded' };

const STORED: Readonly<Record<string, Stored>> = {
  'identity-present': { ...IDENTITY, chain: 'whole' },
  'identity-present-tls12': IDENTITY,
  'identity-rsa-tls13': { ...IDENTITY, subject: 'CN=TEST rsa identity', kind: 'rsa' },
  'identity-rsa-tls12': { ...IDENTITY, subject: 'CN=TEST rsa identity', kind: 'rsa' },
  'identity-and-basic': IDENTITY,
  'identity-absent-no-bootstrap': KEY_ONLY,
  'identity-key-missing-no-bootstrap': { ...IDENTITY, key: 'none' },
  'identity-of-another-key': { ...IDENTITY, key: 'other' },
  'identity-half': IDENTITY,
  'identity-refused-in-handshake': { ...IDENTITY, subject: 'CN=TEST unknown issuer', issuer: 'unknown' },
  'identity-answered-401': IDENTITY,
  'bootstrap-key-exists': KEY_ONLY,
  'identity-expired-at-start-bootstrap': EXPIRED,
  'identity-expired-at-start-no-bootstrap': EXPIRED,
  'identity-expired-at-start-server-500': EXPIRED,
  'identity-due-at-start-rotated': DUE,
  'identity-due-at-start-kept-key': DUE,
  'identity-due-at-start-server-500': DUE,
  'identity-due-refused-once': DUE,
  'identity-due-at-start-created-key': { ...DUE, subject: 'CN=TEST est-id', key: 'created' },
  'identity-damaged': { text: '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n', key: 'preloaded' },
  'identity-empty-file': { text: '', key: 'preloaded' },
  'identity-no-url-for-it': IDENTITY,
};

/** Writes bootstrap certificate and key, starts keyd with its keys, and stores the identity of the scenario. */
export async function setUpKeys(world: World, id: string, ca: Authorities, tokenLines = ''): Promise<void> {
  const bootstrap = await issueHolder({ subject: 'CN=TEST bootstrap', extensions: CLIENT }, ca.bootstrapCa);
  if (id !== 'bootstrap-missing-file')
    await world.file('pre/bootstrap.pem', pemOf(bootstrap.certificate, ca.bootstrapCa.certificate));
  await world.file('pre/bootstrap.key', privatePem(bootstrap), 0o600);
  await world.file('pre/est-ca.pem', pemOf(ca.root.certificate));
  const stored = STORED[id];
  const own = newKey(stored?.kind);
  const preloads = stored !== undefined && stored.key !== 'none' && stored.key !== 'created';
  if (preloads) await world.file('pre/est-id.key', privatePem(stored.key === 'other' ? newKey() : own), 0o600);
  const keys = `est-bootstrap-id = "file://@ROOT@/pre/bootstrap.key"\n${preloads ? 'est-id = "file://@ROOT@/pre/est-id.key"\n' : ''}`;
  const main = `[aziot_keys]\nhomedir_path = "@ROOT@/keyd/home"\n${tokenLines}\n[preloaded_keys]\n${keys}`;
  await world.configure('keyd', { main });
  await world.start('keyd');
  if (stored?.text !== undefined) await world.file(`certd/home/certs/${EST_ID}`, stored.text);
  if (!stored?.subject) return;
  const publicKey = stored.key === 'created' ? await makePair(world, 'est-id') : own.publicKey;
  const { subject, fromMs = 0, toMs = 0 } = stored;
  const wish = { subject, publicKey, fromMs, toMs, extensions: CLIENT };
  const signer = stored.issuer === 'unknown' ? own : ca.issuing;
  const leaf = await issue(wish, signer);
  const rest = stored.chain === 'whole' ? [ca.issuing.certificate, ca.root.certificate] : [];
  await world.file(`certd/home/certs/${EST_ID}`, pemOf(leaf, ...rest));
}
