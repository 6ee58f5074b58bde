import assert from 'node:assert/strict';
import { createHash, type KeyObject, X509Certificate } from 'node:crypto';
import { type Element, elementOf, membersOf, oidText } from './read-der.ts';

/** An attribute of a name: what it is called, its value, and how that is encoded. */
type Attribute = readonly [name: string, value: string, encoding: string];

/** A certificate field by field, as the recordings describe one (`checked`). */
export interface LeafDescription {
  readonly version: string;
  readonly serial: number | string;
  readonly subject: readonly Attribute[];
  readonly issuer: readonly Attribute[];
  readonly publicKey: string;
  readonly signature: string;
  readonly validitySeconds: number;
  readonly notBeforeFromNow: number;
  readonly extensions: readonly {
    readonly oid: string;
    readonly name: string;
    readonly critical: boolean;
    readonly value: string;
  }[];
  readonly timeEncoding: readonly string[];
  readonly verifiesWith: string;
}

const ATTRIBUTES: Readonly<Record<string, string>> = {
  '2.5.4.3': 'commonName',
  '2.5.4.5': 'serialNumber',
  '2.5.4.6': 'countryName',
  '2.5.4.7': 'localityName',
  '2.5.4.8': 'stateOrProvinceName',
  '2.5.4.10': 'organizationName',
  '2.5.4.42': 'givenName',
  '2.5.4.46': 'dnQualifier',
  '1.2.840.113549.1.9.1': 'emailAddress',
  '0.9.2342.19200300.100.1.25': 'domainComponent',
};
const EXTENSIONS: Readonly<Record<string, string>> = {
  '2.5.29.14': 'subjectKeyIdentifier',
  '2.5.29.15': 'keyUsage',
  '2.5.29.17': 'subjectAltName',
  '2.5.29.19': 'basicConstraints',
  '2.5.29.35': 'authorityKeyIdentifier',
  '2.5.29.37': 'extendedKeyUsage',
};
const STRINGS: Readonly<Record<number, string>> = { 12: 'utf8', 19: 'printable', 22: 'ia5' };
const SIGNATURES: Readonly<Record<string, string>> = {
  '1.2.840.10045.4.3.2': 'ecdsa-with-SHA256',
  '1.2.840.113549.1.1.11': 'sha256WithRSAEncryption',
};
const CURVES: Readonly<Record<string, string>> = { prime256v1: 'secp256r1' };

/** The certificates of a PEM text. */
export function blocksOf(pem: string): string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g) ?? [];
}

function nameOf(name: Element): Attribute[] {
  return membersOf(name)
    .flatMap(membersOf)
    .map((attribute) => {
      const [type, value] = membersOf(attribute);
      assert.ok(type && value, 'an attribute without value');
      const oid = oidText(type);
      return [ATTRIBUTES[oid] ?? oid, value.content.toString('utf8'), STRINGS[value.tag] ?? `tag ${value.tag}`];
    });
}

/** SHA-1 of the bits of the subjectPublicKey (RFC 5280 4.2.1.2). */
function keyDigest(spki: Element): string {
  const bits = membersOf(spki)[1]?.content.subarray(1) ?? Buffer.alloc(0);
  return createHash('sha1').update(bits).digest('hex');
}

function keyText(key: KeyObject): string {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details = {} } = key;
  if (type === 'ec') return `ec ${CURVES[details.namedCurve ?? ''] ?? details.namedCurve}`;
  if (type === 'rsa') return `rsa ${details.modulusLength}`;
  return 'Ed25519PublicKey';
}

const tbsOf = (certificate: X509Certificate): Element[] =>
  membersOf(membersOf(elementOf(certificate.raw))[0] ?? elementOf(certificate.raw));

function extensionsOf(tbs: readonly Element[]): { oid: string; critical: boolean; value: string }[] {
  const field = tbs.find(({ tag }) => tag === 0xa3);
  const list = field ? membersOf(field)[0] : undefined;
  return (list ? membersOf(list) : []).map((extension) => {
    const [type, ...rest] = membersOf(extension);
    const value = rest.at(-1)?.content ?? Buffer.alloc(0);
    return { oid: type ? oidText(type) : '', critical: rest.length > 1, value: value.toString('hex') };
  });
}

/** The subject key identifier of a certificate, hex. */
function identifierOf(certificate: X509Certificate | undefined): string | undefined {
  const own = certificate && extensionsOf(tbsOf(certificate)).find(({ oid }) => oid === '2.5.29.14');
  return own?.value.slice(4);
}

/** What a value of the recording says in words. */
function wordsFor(oid: string, value: string, ownDigest: string, issuer: X509Certificate | undefined): string {
  if (oid === '2.5.29.14' && value === `0414${ownDigest}`) return 'sha1 of own key bits';
  if (oid === '2.5.29.35' && value === `30168014${identifierOf(issuer)}`)
    return 'key id only = subject key id of the issuer';
  return value;
}

function verifierOf(leaf: X509Certificate, rest: readonly X509Certificate[]): string {
  const index = rest.findIndex(({ publicKey }) => leaf.verify(publicKey));
  if (index >= 0) return `chain[${index + 1}]`;
  return leaf.verify(leaf.publicKey) ? 'own key' : 'none of the chain';
}

/** Describes the first certificate of a text, whose others are its issuers. */
export function describeLeaf(pem: string): LeafDescription {
  const [leaf, ...rest] = blocksOf(pem).map((block) => new X509Certificate(block));
  assert.ok(leaf, `no certificate in ${pem.slice(0, 200)}`);
  const tbs = tbsOf(leaf);
  const [version, serial, algorithm, issuer, validity, subject, spki] = tbs;
  assert.ok(
    version && serial && algorithm && issuer && validity && subject && spki,
    'a certificate without all fields',
  );
  const ownDigest = keyDigest(spki);
  return {
    version: version.content.equals(Buffer.from('020102', 'hex')) ? 'v3' : version.content.toString('hex'),
    serial: serial.content.toString('hex'),
    subject: nameOf(subject),
    issuer: nameOf(issuer),
    publicKey: keyText(leaf.publicKey),
    signature: SIGNATURES[oidText(membersOf(algorithm)[0] ?? algorithm)] ?? 'another',
    validitySeconds: (leaf.validToDate.getTime() - leaf.validFromDate.getTime()) / 1000,
    notBeforeFromNow: Math.round((leaf.validFromDate.getTime() - Date.now()) / 1000),
    extensions: extensionsOf(tbs).map(({ oid, critical, value }) => ({
      oid,
      name: EXTENSIONS[oid] ?? 'Unknown OID',
      critical,
      value: wordsFor(oid, value, ownDigest, rest[0]),
    })),
    timeEncoding: membersOf(validity).map(({ tag }) => (tag === 23 ? 'UTCTime' : 'GeneralizedTime')),
    verifiesWith: verifierOf(leaf, rest),
  };
}
