import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCertd } from '../../impl/certificates/index.ts';
import { createEstClient } from '../../impl/est/index.ts';
import { createLogger, systemClock } from '../../impl/process/index.ts';
import { type CertificateRequest, formatChain, parseChain, parseCsr } from '../../impl/x509/index.ts';
import { seedsOf } from './fuzz-bytes.ts';

const SILENT = createLogger({ target: 'fuzz', filter: 'off', write: () => {}, now: Date.now });

/** The error is one of those, or OpenSSL's own of damaged bytes. */
function isTyped(error: unknown, names: readonly string[]): void {
  const { name, code } = error as NodeJS.ErrnoException;
  const known = names.includes(name) || (names.includes('OpenSSL') && String(code).startsWith('ERR_OSSL'));
  if (!known) throw new Error(`an error that no door names: ${String(error)}`, { cause: error });
}

let request: Promise<CertificateRequest> | undefined;
/** The request that the leaf of the corpus was issued for. */
const corpusRequest = (): Promise<CertificateRequest> => {
  const seed = seedsOf('csr').find(({ name }) => name === 'ec-extensions.pem');
  request ??= parseCsr(seed?.bytes.toString() ?? '');
  return request;
};

/** PKCS#7 as the answer of an EST server to both requests: a typed error, or a chain whose leaf is for the key of the request. */
export async function checkPkcs7(body: Buffer): Promise<void> {
  const csr = await corpusRequest();
  const headers = { 'content-type': 'application/pkcs7-mime' };
  const client = createEstClient({
    send: async () => ({ status: 200, headers, body, tls: { protocol: null } }),
    clock: systemClock,
    log: SILENT,
    keydSocketPath: '',
    random: () => 0.5,
  });
  const trust = { anchors: [], source: 'none' };
  const enrolment = { url: 'https://localhost/est', csr, trust, signal: new AbortController().signal };
  const chain = await client.enrol(enrolment).catch((error: unknown) => isTyped(error, ['EstError', 'ChainError']));
  if (chain) assert.ok(chain[0]?.x509.publicKey.equals(csr.publicKey), 'the leaf is for another key');
}

/** A certificate request: a CsrError, or one whose signature holds. */
export async function checkCsr(bytes: Buffer): Promise<void> {
  await parseCsr(bytes.toString('latin1')).catch((error: unknown) => isTyped(error, ['CsrError']));
}

/** PEM with certificates: a typed error, or certificates that are written and read again unchanged. */
export function checkPem(bytes: Buffer): void {
  try {
    const text = formatChain(parseChain(bytes.toString('latin1')));
    assert.equal(formatChain(parseChain(text)), text);
  } catch (error) {
    isTyped(error, ['PemError', 'DerError', 'OpenSSL']);
  }
}

/** A configuration of certd: it starts, or says as a ConfigError what is wrong. */
export async function checkToml(bytes: Buffer): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'fuzz-certd-'));
  try {
    const path = join(folder, 'config.toml');
    const endpoints = `[endpoints]\naziot_certd = "unix://${folder}/certd.sock"\naziot_keyd = "unix://${folder}/keyd.sock"\n`;
    await writeFile(path, Buffer.from(bytes.toString('latin1').replaceAll('@HOME@', `${folder}/home`), 'latin1'));
    const directory = join(folder, 'config.d');
    const env = { AZIOT_CERTD_CONFIG: path, AZIOT_CERTD_CONFIG_DIR: directory, SSL_CERT_FILE: '/dev/null' };
    await mkdir(directory);
    await writeFile(join(directory, 'zz.toml'), endpoints);
    const running = await startCertd({ env, log: SILENT, clock: systemClock }).catch((error: unknown) =>
      isTyped(error, ['ConfigError']),
    );
    await running?.close();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
