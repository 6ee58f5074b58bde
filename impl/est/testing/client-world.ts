import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { HttpsResponse, SendHttpsOptions } from '../../https/index.ts';
import { type Clock, createLogger } from '../../process/index.ts';
import {
  basicConstraints,
  type Certificate,
  type CertificateRequest,
  createCsr,
  issueCertificate,
  parseCsr,
  readCertificate,
  softwareSigner,
  type X509Signer,
} from '../../x509/index.ts';
import { createEstClient, type Enrolment } from '../index.ts';
import { certsOnly } from './certs-only.ts';

export const NOW = Date.UTC(2026, 5, 1);
export const URL_BASE = 'https://est.example:8443/.well-known/est';

export function key(): X509Signer {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  return softwareSigner(privateKey, publicKey);
}

export async function request(signer: X509Signer, ca = false): Promise<CertificateRequest> {
  return parseCsr(await createCsr({ subject: [['CN', 'x']], extensions: ca ? [basicConstraints({})] : [], signer }));
}

export async function certificate(
  csr: CertificateRequest,
  signer: X509Signer,
  issuerChain: Certificate[] = [],
  days = 30,
) {
  const issued = await issueCertificate({
    csr,
    issuerChain,
    signer,
    now: NOW,
    lifetimeSeconds: days * 86_400,
    serial: randomBytes(16),
  });
  return readCertificate(issued.der);
}

export interface World {
  csr: CertificateRequest;
  ca: Certificate;
  leaf: Certificate;
  caKey: X509Signer;
  sent: SendHttpsOptions[];
  answers: { simpleenroll: (() => Partial<HttpsResponse>)[]; cacerts: (() => Partial<HttpsResponse>)[] };
  slept: number[];
  log: string[];
}

/** What the test at hand may change before it enrols, and reads after. */
export const world = {} as World;

export const good = (...certificates: Certificate[]): Partial<HttpsResponse> => ({
  status: 200,
  headers: { 'content-type': 'application/pkcs7-mime; smime-type=certs-only' },
  body: Buffer.from(certsOnly(certificates.map((one) => one.der)).toString('base64')),
});

/** To be called before each test: a CA, a request, a certificate for it, and a server that answers well. */
export async function renewWorld(): Promise<void> {
  const [caKey, own] = [key(), key()];
  const csr = await request(own);
  const ca = await certificate(await request(caKey, true), caKey, [], 400);
  const leaf = await certificate(csr, caKey, [ca]);
  const answers = { simpleenroll: [() => good(leaf)], cacerts: [() => good(ca)] };
  Object.assign(world, { csr, ca, leaf, caKey, sent: [], answers, slept: [], log: [] });
}

/** Answers in order, the last one for ever. */
export function send(options: SendHttpsOptions): Promise<HttpsResponse> {
  world.sent.push(options);
  const queue = options.url.endsWith('/cacerts') ? world.answers.cacerts : world.answers.simpleenroll;
  const next = queue.length > 1 ? queue.shift() : queue[0];
  return Promise.resolve().then(() => {
    const answer = next?.() ?? {};
    return { status: 200, headers: {}, body: Buffer.alloc(0), tls: { protocol: null }, ...answer };
  });
}

export const clock: Clock = {
  now: () => NOW,
  sleep: async (milliseconds) => {
    world.slept.push(milliseconds);
  },
};

export async function enrol(changes: Partial<Enrolment> = {}, sender: typeof send = send): Promise<string[]> {
  const log = createLogger({ target: 'est', filter: 'debug', write: (line) => world.log.push(line), now: () => NOW });
  const client = createEstClient({ send: sender, clock, log, keydSocketPath: '/run/keyd.sock', random: () => 0.5 });
  const trust = { anchors: [], source: 'test' };
  const chain = await client.enrol({
    url: URL_BASE,
    csr: world.csr,
    trust,
    signal: new AbortController().signal,
    ...changes,
  });
  return chain.map(hex);
}

export const hex = (certificate: Certificate): string => certificate.der.toString('hex');

export const posts = () => world.sent.filter((one) => one.method === 'POST');
