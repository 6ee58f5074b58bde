import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import {
  basicConstraints,
  type Certificate,
  createCsr,
  issueCertificate,
  keyUsage,
  parseCsr,
  readCertificate,
  softwareSigner,
  type WantedExtension,
} from '../index.ts';

export const folder = mkdtempSync(join(tmpdir(), 'x509-'));
afterAll(() => rmSync(folder, { recursive: true }));
export const NOW = Date.UTC(2026, 5, 1, 12, 0, 0);
export const DAY = 86_400;

export function openssl(...args: string[]): string {
  return execFileSync('openssl', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

export function file(name: string, content: string | Buffer): string {
  writeFileSync(join(folder, name), content);
  return name;
}

export function keys(kind: 'p256' | 'p384' | 'rsa' = 'p256') {
  const { privateKey, publicKey } =
    kind === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: kind === 'p256' ? 'prime256v1' : 'secp384r1' });
  return { privateKey, publicKey, signer: softwareSigner(privateKey, publicKey) };
}

export async function issue(options: {
  leaf?: ReturnType<typeof keys>;
  extensions?: WantedExtension[];
  issuer?: { signer: ReturnType<typeof keys>['signer']; chain: Certificate[] };
  days?: number;
  now?: number;
  subject?: Buffer;
}) {
  const leaf = options.leaf ?? keys();
  const csr = await parseCsr(
    await createCsr({
      subject: [
        ['CN', 'leaf'],
        ['O', 'Test'],
      ],
      ...(options.extensions ? { extensions: options.extensions } : {}),
      signer: leaf.signer,
    }),
  );
  const issued = await issueCertificate({
    csr,
    ...(options.subject ? { subject: options.subject } : {}),
    issuerChain: options.issuer?.chain ?? [],
    signer: options.issuer?.signer ?? leaf.signer,
    now: options.now ?? NOW,
    lifetimeSeconds: (options.days ?? 30) * DAY,
    serial: randomBytes(16),
  });
  return readCertificate(issued.der);
}

export async function authority(kind: 'p256' | 'p384' | 'rsa' = 'p256', days = 365) {
  const leaf = keys(kind);
  const cert = await issue({ leaf, days, extensions: [basicConstraints({}), keyUsage('keyCertSign', 'cRLSign')] });
  return { signer: leaf.signer, chain: [cert] };
}
