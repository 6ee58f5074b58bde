import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  basicConstraints,
  type Certificate,
  createCsr,
  issueCertificate,
  parseCsr,
  readCertificate,
  softwareSigner,
} from '../../impl/x509/index.ts';

/** An EST server without TLS on a clock of its own, so that a year takes a minute. */
export interface PlainEst {
  readonly url: string;
  reachable: boolean;
  readonly issued: number;
  close(): Promise<void>;
}

const LENGTHS = (length: number) =>
  length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
const tagged = (tag: number, ...parts: Uint8Array[]): Buffer => {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, ...LENGTHS(content.length)]), content]);
};
const SIGNED_DATA = Buffer.from('06092a864886f70d010702', 'hex');
const DATA = Buffer.from('06092a864886f70d010701', 'hex');

/** A certs-only message (RFC 5652 5.1). */
function certsOnly(certificates: readonly Pick<Certificate, 'der'>[]): string {
  const empty = tagged(0x31);
  const set = tagged(0xa0, ...certificates.map(({ der }) => der));
  const signed = tagged(0x30, Buffer.from('020101', 'hex'), empty, tagged(0x30, DATA), set, empty);
  return tagged(0x30, SIGNED_DATA, tagged(0xa0, signed)).toString('base64');
}

function read(request: AsyncIterable<Buffer>): Promise<Buffer> {
  return (async () => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    return Buffer.concat(chunks);
  })();
}

/** Starts one whose certificates live `lifetimeSeconds`. */
export async function startPlainEst(now: () => number, lifetimeSeconds: number): Promise<PlainEst> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const signer = softwareSigner(privateKey, publicKey);
  const own = await parseCsr(
    await createCsr({ subject: [['CN', 'TEST CA']], extensions: [basicConstraints({})], signer }),
  );
  const issue = (csr: typeof own, issuerChain: Certificate[], seconds: number) =>
    issueCertificate({ csr, issuerChain, signer, now: now(), lifetimeSeconds: seconds, serial: randomBytes(16) });
  const ca = readCertificate((await issue(own, [], 100 * 365 * 86_400)).der);
  const state = { reachable: true, issued: 0 };
  const server: Server = createServer(async (request, response) => {
    if (!state.reachable) {
      request.socket.destroy();
      return;
    }
    const body = await read(request);
    const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${body.toString()}-----END CERTIFICATE REQUEST-----\n`;
    const enrols = request.url?.endsWith('/simpleenroll');
    const certificates = enrols ? [await issue(await parseCsr(pem), [ca], lifetimeSeconds)] : [ca];
    if (enrols) state.issued++;
    response.writeHead(200, { 'content-type': 'application/pkcs7-mime' }).end(certsOnly(certificates));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/.well-known/est`,
    get reachable() {
      return state.reachable;
    },
    set reachable(value: boolean) {
      state.reachable = value;
    },
    get issued() {
      return state.issued;
    },
    close: () =>
      new Promise((done) => {
        server.closeAllConnections();
        server.close(() => done());
      }),
  };
}
