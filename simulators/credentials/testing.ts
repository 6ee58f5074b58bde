import { createHmac, generateKeyPairSync, type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto';
import * as asn1 from 'asn1js';

/** Makes credentials for tests: certificates whose subjects say TEST, and tokens. */

const DAY = 24 * 3600 * 1000;
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';

/** A certificate with its private key, and the certificates above it. */
export interface TestCredential {
  pem: string;
  keyPem: string;
  privateKey: KeyObject;
  /** The leaf first, without the self-signed root. */
  chain: X509Certificate[];
}

export interface TestCertificateInput {
  commonName: string;
  issuer?: TestCredential;
  role: 'authority' | 'client' | 'server';
  pathLength?: number;
  /** Days from now; -2 to 100 by default. */
  fromDay?: number;
  toDay?: number;
  hostNames?: string[];
}

/** Issues a certificate, self-signed where no issuer is given. */
export function issueTestCertificate(input: TestCertificateInput): TestCredential {
  const { commonName, issuer, fromDay = -2, toDay = 100 } = input;
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const subject = nameOf(commonName);
  const tbs = sequence([
    new asn1.Constructed({ idBlock: { tagClass: 3, tagNumber: 0 }, value: [new asn1.Integer({ value: 2 })] }),
    new asn1.Integer({ valueHex: positive(randomBytes(16)) }),
    algorithm(),
    issuer ? nameFrom(issuer) : subject,
    sequence([utc(fromDay), utc(toDay)]),
    subject,
    parsed(publicKey.export({ type: 'spki', format: 'der' })),
    new asn1.Constructed({ idBlock: { tagClass: 3, tagNumber: 3 }, value: [sequence(extensions(input))] }),
  ]);
  const signature = sign('sha256', Buffer.from(tbs.toBER()), issuer?.privateKey ?? privateKey);
  const der = Buffer.from(sequence([tbs, algorithm(), new asn1.BitString({ valueHex: bytes(signature) })]).toBER());
  const certificate = new X509Certificate(der);
  return {
    pem: certificate.toString(),
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    privateKey,
    chain: [certificate, ...(issuer ? issuer.chain.filter((above) => !above.checkIssued(above)) : [])],
  };
}

/** Signs a token; `se` is in seconds since 1970, the key base64. Resources are signed as they are given. */
export function testToken({
  resource,
  key,
  se,
  skn,
}: {
  resource: string;
  key: string;
  se: number;
  skn?: string;
}): string {
  const signature = createHmac('sha256', Buffer.from(key, 'base64')).update(`${resource}\n${se}`).digest('base64');
  const policy = skn === undefined ? '' : `&skn=${skn}`;
  return `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signature)}&se=${se}${policy}`;
}

function extensions({ role, pathLength, hostNames }: TestCertificateInput): asn1.Sequence[] {
  const isAuthority = role === 'authority';
  const constraints = isAuthority ? [new asn1.Boolean({ value: true })] : [];
  if (pathLength !== undefined) constraints.push(new asn1.Integer({ value: pathLength }) as never);
  const usage = isAuthority
    ? extension('2.5.29.15', new asn1.BitString({ valueHex: bytes(Buffer.from([0x04])), unusedBits: 2 }))
    : extension(
        '2.5.29.37',
        sequence([new asn1.ObjectIdentifier({ value: role === 'client' ? CLIENT_AUTH : SERVER_AUTH })]),
      );
  const names = hostNames?.map(
    (host) => new asn1.Primitive({ idBlock: { tagClass: 3, tagNumber: 2 }, valueHex: bytes(Buffer.from(host)) }),
  );
  return [
    extension('2.5.29.19', sequence(constraints)),
    usage,
    ...(names ? [extension('2.5.29.17', sequence(names))] : []),
  ];
}

function extension(oid: string, value: asn1.BaseBlock): asn1.Sequence {
  return sequence([new asn1.ObjectIdentifier({ value: oid }), new asn1.OctetString({ valueHex: value.toBER() })]);
}

function nameOf(commonName: string): asn1.Sequence {
  const part = (oid: string, value: string) =>
    new asn1.Set({ value: [sequence([new asn1.ObjectIdentifier({ value: oid }), new asn1.Utf8String({ value })])] });
  return sequence([part('2.5.4.3', commonName), part('2.5.4.10', 'TEST')]);
}

function nameFrom({ chain, pem }: TestCredential): asn1.BaseBlock {
  const { subject } = chain[0] ?? new X509Certificate(pem);
  return nameOf(subject.split('\n')[0]?.slice('CN='.length) ?? '');
}

const algorithm = () => sequence([new asn1.ObjectIdentifier({ value: '1.2.840.10045.4.3.2' })]);
const sequence = (value: asn1.BaseBlock[]) => new asn1.Sequence({ value: value as never });
const utc = (day: number) => new asn1.UTCTime({ valueDate: new Date(Date.now() + day * DAY) });
const parsed = (der: Buffer) => asn1.fromBER(bytes(der)).result;

function bytes(buffer: Uint8Array): ArrayBuffer {
  return new Uint8Array(buffer).buffer;
}

function positive(serial: Buffer): ArrayBuffer {
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return bytes(serial);
}
