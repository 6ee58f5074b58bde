import { oid, sequence, TAG, wrap } from './der.ts';

/** Attributes of a distinguished name, one RDN each, in the order given: attribute name or dotted OID, value. */
export type NameEntries = readonly (readonly [attribute: string, value: string])[];

/** Raised for an attribute that does not exist or a value that its attribute cannot take. */
export class NameError extends Error {
  override readonly name = 'NameError';
}

type StringKind = 'utf8' | 'printable' | 'ia5';

interface Attribute {
  readonly oid: string;
  readonly names: readonly string[];
  readonly kind?: StringKind;
  /** Characters, lower and upper bound. */
  readonly size?: readonly [number, number];
}

const STRING_TAG: Readonly<Record<StringKind, number>> = { utf8: 0x0c, printable: 0x13, ia5: 0x16 };
const PRINTABLE = /^[A-Za-z0-9 '()+,\-./:=?]*$/;
const IA5 = /^[\x00-\x7f]*$/;
const COMMON_NAME_LIMIT = 64;

/** Short and long names as OpenSSL spells them, string types and bounds (spec/certificates-service.md 6.2, RFC 5280 appendix A). */
const ATTRIBUTES: readonly Attribute[] = [
  { oid: '2.5.4.3', names: ['CN', 'commonName'], size: [1, COMMON_NAME_LIMIT] },
  { oid: '2.5.4.4', names: ['SN', 'surname'], size: [1, 32768] },
  { oid: '2.5.4.5', names: ['serialNumber'], kind: 'printable', size: [1, 64] },
  { oid: '2.5.4.6', names: ['C', 'countryName'], kind: 'printable', size: [2, 2] },
  { oid: '2.5.4.7', names: ['L', 'localityName'], size: [1, 128] },
  { oid: '2.5.4.8', names: ['ST', 'stateOrProvinceName'], size: [1, 128] },
  { oid: '2.5.4.9', names: ['street', 'streetAddress'] },
  { oid: '2.5.4.10', names: ['O', 'organizationName'], size: [1, 64] },
  { oid: '2.5.4.11', names: ['OU', 'organizationalUnitName'], size: [1, 64] },
  { oid: '2.5.4.12', names: ['title'] },
  { oid: '2.5.4.13', names: ['description'] },
  { oid: '2.5.4.15', names: ['businessCategory'] },
  { oid: '2.5.4.17', names: ['postalCode'] },
  { oid: '2.5.4.18', names: ['postOfficeBox'] },
  { oid: '2.5.4.20', names: ['telephoneNumber'] },
  { oid: '2.5.4.41', names: ['name'], size: [1, 32768] },
  { oid: '2.5.4.42', names: ['GN', 'givenName'], size: [1, 32768] },
  { oid: '2.5.4.43', names: ['initials'], size: [1, 32768] },
  { oid: '2.5.4.44', names: ['generationQualifier'] },
  { oid: '2.5.4.45', names: ['x500UniqueIdentifier'] },
  { oid: '2.5.4.46', names: ['dnQualifier'], kind: 'printable' },
  { oid: '2.5.4.65', names: ['pseudonym'] },
  { oid: '2.5.4.97', names: ['organizationIdentifier'] },
  { oid: '0.9.2342.19200300.100.1.1', names: ['UID', 'userId'] },
  {
    oid: '0.9.2342.19200300.100.1.25',
    names: ['DC', 'domainComponent'],
    kind: 'ia5',
    size: [1, Number.MAX_SAFE_INTEGER],
  },
  { oid: '1.2.840.113549.1.9.1', names: ['emailAddress'], kind: 'ia5', size: [1, 128] },
  { oid: '1.2.840.113549.1.9.2', names: ['unstructuredName'] },
  { oid: '1.3.6.1.4.1.311.60.2.1.1', names: ['jurisdictionL', 'jurisdictionLocalityName'] },
  { oid: '1.3.6.1.4.1.311.60.2.1.2', names: ['jurisdictionST', 'jurisdictionStateOrProvinceName'] },
  {
    oid: '1.3.6.1.4.1.311.60.2.1.3',
    names: ['jurisdictionC', 'jurisdictionCountryName'],
    kind: 'printable',
    size: [2, 2],
  },
];

const BY_NAME = new Map<string, Attribute>();
for (const attribute of ATTRIBUTES) {
  for (const key of [attribute.oid, ...attribute.names]) BY_NAME.set(key.toLowerCase(), attribute);
}

function attributeNamed(name: string): Attribute {
  const known = BY_NAME.get(name.toLowerCase());
  if (known) return known;
  if (/^[0-2](\.\d+)+$/.test(name)) return { oid: name, names: [] };
  throw new NameError(
    `subject attribute "${name}" is not known; use an OpenSSL name such as CN, or a dotted object identifier`,
  );
}

function encodeValue(name: string, attribute: Attribute, value: string): Buffer {
  const kind = attribute.kind ?? 'utf8';
  const [least, most] = attribute.size ?? [1, 32768];
  const length = Array.from(value).length;
  if (length < least || length > most) {
    throw new NameError(`subject attribute "${name}" has ${length} characters; it takes ${least} to ${most}`);
  }
  if ((kind === 'printable' && !PRINTABLE.test(value)) || (kind === 'ia5' && !IA5.test(value))) {
    throw new NameError(`subject attribute "${name}" has a character that it cannot hold`);
  }
  return wrap(STRING_TAG[kind], Buffer.from(value, 'utf8'));
}

/**
 * Encodes a distinguished name, one RDN an entry, in the order given. Attribute names ignore case.
 *
 * @returns DER of the Name; an empty list gives the empty name.
 * @throws NameError for an unknown attribute, a value of a wrong length, or a character outside the attribute's string type.
 */
export function encodeName(entries: NameEntries): Buffer {
  return sequence(
    ...entries.map(([name, value]) => {
      const attribute = attributeNamed(name);
      return wrap(TAG.set, sequence(oid(attribute.oid), encodeValue(name, attribute, value)));
    }),
  );
}

/** The entries of a `common_name`: one CN, cut to its first 64 Unicode characters (spec/certificates-service.md 6.2). */
export function commonNameEntries(commonName: string): NameEntries {
  return [['CN', cutCommonName(commonName)]];
}

/** The entries of a `subject` table: keys in byte order; the value of a key that is `cn` in any case is cut to 64 characters. */
export function subjectTableEntries(table: Readonly<Record<string, string>>): NameEntries {
  return Object.keys(table)
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map((key) => [key, key.toLowerCase() === 'cn' ? cutCommonName(table[key] ?? '') : (table[key] ?? '')] as const);
}

function cutCommonName(value: string): string {
  return Array.from(value).slice(0, COMMON_NAME_LIMIT).join('');
}
