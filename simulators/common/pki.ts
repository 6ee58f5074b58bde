import 'reflect-metadata';
import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, X509Certificate } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Name, X509Certificate as ReadCertificate } from '@peculiar/x509';
import { type CertificateWish, writeCertificate } from './certificate-writer.ts';
import { type Clock, SystemClock } from './clock.ts';

const YEAR_SECONDS = 365 * 86_400;
/** Certificates begin a little in the past, so that a clock some seconds behind takes them. */
const HEAD_START_MS = 60_000;

/** A TEST certificate authority. */
export interface TestCa {
  readonly certificatePem: string;
  /** This CA and those above it, without the root; empty text for the root itself. */
  readonly chainPem: string;
  readonly keyPem: string;
  /** Issues a certificate, PEM, the leaf alone. */
  issue(wish: CertificateWish): Promise<string>;
}

/** A certificate chain with its key, PEM, leaf first, without the root. */
export interface TestIdentity {
  readonly certPem: string;
  readonly keyPem: string;
}

/** A TEST public key infrastructure: one root, named authorities below it. */
export interface TestPki {
  readonly root: TestCa;
  /** The authority of this name, made below the root when it is first asked for; `root` is the root itself. */
  ca(name: string): Promise<TestCa>;
  issueServerCertificate(options: { readonly hosts: readonly string[] }): Promise<TestIdentity>;
  /** A TLS client certificate of the authority `caName` with a new key. `subject` is RFC 4514 text. */
  issueClientCertificate(
    subject: string,
    options?: { readonly caName?: string; readonly lifetimeSeconds?: number },
  ): Promise<TestIdentity>;
}

interface Stored {
  readonly certificatePem: string;
  readonly keyPem: string;
}

async function newKey(): Promise<{ privateKey: KeyObject; publicPem: string; keyPem: string }> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' });
  return {
    privateKey,
    publicPem: publicKey.export({ type: 'spki', format: 'pem' }) as string,
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  };
}

async function loadStored(stateDir: string | undefined, name: string): Promise<Stored | undefined> {
  if (stateDir === undefined) return undefined;
  try {
    return JSON.parse(await readFile(join(stateDir, `ca-${name}.json`), 'utf8')) as Stored;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function saveStored(stateDir: string | undefined, name: string, stored: Stored): Promise<void> {
  if (stateDir === undefined) return;
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const path = join(stateDir, `ca-${name}.json`);
  await rm(`${path}.new`, { force: true });
  await writeFile(`${path}.new`, JSON.stringify(stored), { mode: 0o600, flush: true, flag: 'wx' });
  await rename(`${path}.new`, path);
  const folder = await open(stateDir);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function authority(stored: Stored, above: TestCa | undefined, clock: Clock): TestCa {
  const privateKey = createPrivateKey(stored.keyPem);
  const subject = new ReadCertificate(stored.certificatePem).subjectName;
  const issuer = { subject, privateKey, publicKey: createPublicKey(privateKey) };
  return {
    certificatePem: stored.certificatePem,
    chainPem: above ? stored.certificatePem + above.chainPem : '',
    keyPem: stored.keyPem,
    issue: (wish) => writeCertificate(wish, issuer, clock.now()),
  };
}

async function makeAuthority(name: string, above: TestCa | undefined, clock: Clock): Promise<Stored> {
  const { privateKey, publicPem, keyPem } = await newKey();
  const notBefore = new Date(Math.floor((clock.now() - HEAD_START_MS) / 1000) * 1000);
  const subject = `CN=TEST ${name} CA,O=TEST ONLY`;
  const wish: CertificateWish = {
    subject,
    publicKeyPem: publicPem,
    isCa: true,
    notBefore,
    lifetimeSeconds: 10 * YEAR_SECONDS,
  };
  if (above) return { certificatePem: await above.issue(wish), keyPem };
  const self = { subject: new Name(subject), privateKey, publicKey: createPublicKey(privateKey) };
  return { certificatePem: await writeCertificate(wish, self, clock.now()), keyPem };
}

/** Makes a fresh TEST PKI, or takes up the one that is kept in `stateDir`. Keys there have mode 0600. */
export async function createTestPki({
  clock = new SystemClock(),
  stateDir,
}: {
  readonly clock?: Clock;
  readonly stateDir?: string | undefined;
} = {}): Promise<TestPki> {
  const obtain = async (name: string, above: TestCa | undefined): Promise<TestCa> => {
    let stored = await loadStored(stateDir, name);
    if (!stored) {
      stored = await makeAuthority(name, above, clock);
      await saveStored(stateDir, name, stored);
    }
    return authority(stored, above, clock);
  };
  const root = await obtain('root', undefined);
  const made = new Map([['root', Promise.resolve(root)]]);

  const ca = (name: string): Promise<TestCa> => {
    if (!/^[a-z0-9-]{1,40}$/.test(name)) throw new Error(`authority names are lower-case words, not "${name}"`);
    const known = made.get(name);
    if (known) return known;
    const obtained = obtain(name, root);
    made.set(name, obtained);
    obtained.catch(() => made.delete(name));
    return obtained;
  };

  const identity = async (from: TestCa, wish: Omit<CertificateWish, 'publicKeyPem'>): Promise<TestIdentity> => {
    const { publicPem, keyPem } = await newKey();
    const notBefore = new Date(Math.floor((clock.now() - HEAD_START_MS) / 1000) * 1000);
    const leaf = await from.issue({ notBefore, ...wish, publicKeyPem: publicPem });
    return { certPem: leaf + from.chainPem, keyPem };
  };

  return {
    root,
    ca,
    async issueServerCertificate({ hosts }) {
      const subject = `CN=TEST server ${hosts[0] ?? 'localhost'},O=TEST ONLY`;
      const wish = { subject, sans: hosts, extendedKeyUsages: ['serverAuth'] as const, lifetimeSeconds: YEAR_SECONDS };
      return identity(await ca('server'), wish);
    },
    async issueClientCertificate(subject, { caName = 'bootstrap', lifetimeSeconds = YEAR_SECONDS } = {}) {
      return identity(await ca(caName), { subject, extendedKeyUsages: ['clientAuth'], lifetimeSeconds });
    },
  };
}

/** The certificates of a PEM text, in order. */
export function readPemChain(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}
