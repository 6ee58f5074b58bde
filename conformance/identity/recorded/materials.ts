import 'reflect-metadata';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { ExtendedKeyUsageExtension, SubjectAlternativeNameExtension } from '@peculiar/x509';
import type { ServerCredential } from '../../cloud/index.ts';
import { CA, DAY_MS, type Holder, issueHolder, pemOf, privatePem } from '../../est-client/index.ts';
import type { World } from '../../runner/index.ts';

const FROM_NOW = { fromMs: -60_000, toMs: 365 * DAY_MS };

/** Address that the recordings call `<cloud address>`. */
export const CLOUD_ADDRESS = '127.0.0.5';

/** Certificates of the replay; all keys are made for it. */
export interface Materials {
  /** Trust anchor of the cloud's server certificate, PEM. */
  readonly rootPem: string;
  readonly server: ServerCredential;
  /** Vouched for by nobody. */
  readonly untrusted: ServerCredential;
  readonly deviceCa: Holder;
  /** Of certd, RSA; its key is the file `pre/local-ca.key`. */
  readonly localCaPem: string;
}

/** A device certificate (`CN=…`, client authentication) of the device CA, with its chain and key as PEM. */
export async function deviceCertificate(
  { deviceCa }: Materials,
  commonName: string,
  times: { readonly fromMs: number; readonly toMs: number } = FROM_NOW,
): Promise<ServerCredential> {
  const extensions = [new ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.2'])];
  const holder = await issueHolder({ subject: `CN=${commonName}`, extensions, ...times }, deviceCa);
  return { cert: pemOf(holder.certificate, deviceCa.certificate), key: privatePem(holder) };
}

async function serverCredential(root: Holder, names: readonly string[]): Promise<ServerCredential> {
  const dns = names.map((value) => ({ type: 'dns' as const, value }));
  const ip = { type: 'ip' as const, value: CLOUD_ADDRESS };
  const extensions = [new SubjectAlternativeNameExtension([...dns, ip])];
  const holder = await issueHolder({ subject: 'CN=TEST cloud', extensions, ...FROM_NOW }, root);
  return { cert: pemOf(holder.certificate), key: privatePem(holder) };
}

/** Makes authorities and server certificates, and writes the CA of certd below `pre`. */
export async function makeMaterials(world: World, serverNames: readonly string[]): Promise<Materials> {
  const root = await issueHolder({ subject: 'CN=TEST root', extensions: CA, ...FROM_NOW });
  const nobody = await issueHolder({ subject: 'CN=TEST nobody', extensions: CA, ...FROM_NOW });
  const deviceCa = await issueHolder({ subject: 'CN=device-ca', extensions: CA, ...FROM_NOW });
  const files = ['-keyout', world.path('pre', 'local-ca.key'), '-out', world.path('pre', 'local-ca.pem')];
  const wish = ['-newkey', 'rsa:2048', '-nodes', '-days', '365', '-subj', '/CN=local-ca'];
  await promisify(execFile)('openssl', ['req', '-x509', ...wish, ...files]);
  return {
    rootPem: pemOf(root.certificate),
    server: await serverCredential(root, serverNames),
    untrusted: await serverCredential(nobody, ['untrusted.iot.test']),
    deviceCa,
    localCaPem: await readFile(world.path('pre', 'local-ca.pem'), 'utf8'),
  };
}

/** PEM of the device CA, for those who trust it. */
export const deviceCaPem = ({ deviceCa }: Materials): string => pemOf(deviceCa.certificate);
