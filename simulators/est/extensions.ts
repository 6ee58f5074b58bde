import {
  DerError,
  type DerValue,
  der,
  expectTag,
  membersOf,
  octets,
  oid,
  readDer,
  readOid,
  sequence,
  TAG,
} from './der.ts';

export const EXTENSION = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAlternativeName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  crlNumber: '2.5.29.20',
  nameConstraints: '2.5.29.30',
  authorityKeyIdentifier: '2.5.29.35',
  policyConstraints: '2.5.29.36',
  extendedKeyUsage: '2.5.29.37',
  inhibitAnyPolicy: '2.5.29.54',
} as const;

/** A certificate extension; the value is the DER inside the OCTET STRING. */
export interface Extension {
  readonly type: string;
  readonly critical: boolean;
  readonly value: Buffer;
}

const TRUE = Buffer.of(TAG.boolean, 1, 0xff);
const CONTEXT_CLASS = 0x80;
const LAST_GENERAL_NAME = 8;
const SIGNING_BITS = { first: 0x06 } as const;

/** Extension ::= SEQUENCE { extnID, critical DEFAULT FALSE, extnValue } (RFC 5280 4.1). */
export const writeExtension = ({ type, critical, value }: Extension): Buffer =>
  critical ? sequence(oid(type), TRUE, octets(value)) : sequence(oid(type), octets(value));

function readExtension(value: DerValue): Extension {
  const members = membersOf(expectTag(value, TAG.sequence, 'an extension'));
  const type = readOid(members[0]);
  const critical = members.length === 3;
  if (members.length < 2 || members.length > 3 || (critical && !members[1]?.raw.equals(TRUE)))
    throw new DerError(`the extension ${type} is not DER`);
  const extension = { type, critical, value: expectTag(members.at(-1), TAG.octetString, 'an extension value').content };
  checkExtension(extension);
  return extension;
}

/** Extensions ::= SEQUENCE OF Extension. @throws DerError, also for a value that its type does not allow */
export function readExtensions(value: DerValue | undefined): Extension[] {
  return membersOf(expectTag(value, TAG.sequence, 'the list of extensions')).map(readExtension);
}

/** The purposes of an extKeyUsage value, dotted. @throws DerError */
export function readPurposes(value: Buffer): string[] {
  const purposes = membersOf(expectTag(readDer(value), TAG.sequence, 'extKeyUsage')).map(readOid);
  if (purposes.length === 0) throw new DerError('extKeyUsage without a purpose');
  return purposes;
}

/** Whether a keyUsage value lets its certificate sign certificates or CRLs. @throws DerError */
export function isAuthorityUsage(value: Buffer): boolean {
  const { content } = expectTag(readDer(value), TAG.bitString, 'keyUsage');
  const unused = content[0] ?? 8;
  if (content.length < 2 || content.length > 3 || unused > 7) throw new DerError('keyUsage is not DER');
  return ((content[1] ?? 0) & SIGNING_BITS.first) !== 0;
}

function checkNames(value: Buffer): void {
  const names = membersOf(expectTag(readDer(value), TAG.sequence, 'subjectAltName'));
  if (names.length === 0) throw new DerError('subjectAltName without a name');
  for (const { tag, content } of names) {
    const kind = tag & 0x1f;
    if ((tag & 0xc0) !== CONTEXT_CLASS || kind > LAST_GENERAL_NAME) throw new DerError('subjectAltName is not DER');
    if (kind === 7 && content.length !== 4 && content.length !== 16) throw new DerError('an IP address of odd length');
    if ((kind === 1 || kind === 2 || kind === 6) && content.some((byte) => byte >= 0x80 || byte === 0))
      throw new DerError('a name in subjectAltName is not ASCII');
  }
}

function checkExtension({ type, value }: Extension): void {
  if (type === EXTENSION.subjectAlternativeName) checkNames(value);
  else if (type === EXTENSION.extendedKeyUsage) readPurposes(value);
  else if (type === EXTENSION.keyUsage) isAuthorityUsage(value);
  else readDer(value);
}

/** extKeyUsage, not critical. */
export const purposes = (oids: readonly string[]): Extension => ({
  type: EXTENSION.extendedKeyUsage,
  critical: false,
  value: sequence(...oids.map(oid)),
});

/** keyUsage, critical; the first byte of its bits: 0x80 digitalSignature, 0x20 keyEncipherment, 0x04 keyCertSign, 0x02 cRLSign. */
export function keyUsage(firstByte: number): Extension {
  const unused = firstByte === 0 ? 0 : Math.log2(firstByte & -firstByte);
  return {
    type: EXTENSION.keyUsage,
    critical: true,
    value: der(TAG.bitString, Buffer.of(unused, firstByte)),
  };
}

/** basicConstraints, critical. */
export function basicConstraints(role: 'end-entity' | 'authority', pathLength?: number): Extension {
  const limit = pathLength === undefined ? [] : [der(TAG.integer, Buffer.of(pathLength))];
  const value = role === 'authority' ? sequence(TRUE, ...limit) : sequence();
  return { type: EXTENSION.basicConstraints, critical: true, value };
}

export const subjectKeyIdentifier = (id: Buffer): Extension => ({
  type: EXTENSION.subjectKeyIdentifier,
  critical: false,
  value: octets(id),
});

export const authorityKeyIdentifier = (id: Buffer): Extension => ({
  type: EXTENSION.authorityKeyIdentifier,
  critical: false,
  value: sequence(der(0x80, id)),
});
