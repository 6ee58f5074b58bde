import { octets, oid, sequence, setOf } from './der.ts';
import { purposes, writeExtension } from './extensions.ts';
import { PURPOSES, type PurposeName } from './purposes.ts';

const NAMES: Readonly<Record<string, string>> = {
  challengePassword: '1.2.840.113549.1.9.7',
  extensionRequest: '1.2.840.113549.1.9.14',
  serialNumber: '2.5.4.5',
  commonName: '2.5.4.3',
  macAddress: '1.3.6.1.1.1.1.22',
  rsaEncryption: '1.2.840.113549.1.1.1',
  ecPublicKey: '1.2.840.10045.2.1',
  'P-256': '1.2.840.10045.3.1.7',
  'P-384': '1.3.132.0.34',
  'P-521': '1.3.132.0.35',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  ecdsaWithSha384: '1.2.840.10045.4.3.3',
  sha256WithRsa: '1.2.840.113549.1.1.11',
};

/**
 * One thing that a client should put into its request (RFC 7030 4.5.2): an object identifier (dotted, or one of the names
 * `challengePassword`, `serialNumber`, `commonName`, `macAddress`, `P-256`, `ecdsaWithSha384`, …); an attribute with object identifiers as
 * its values; or an extension to ask for: by its purposes, or as the base64 of its DER.
 */
export type CsrAttribute =
  | string
  | { readonly type: string; readonly values: readonly string[] }
  | { readonly purposes: readonly PurposeName[] }
  | { readonly extension: string; readonly critical?: true; readonly value: string };

const DOTTED = /^[0-2](\.(0|[1-9]\d{0,14}))+$/;

function identifier(name: string): Buffer {
  const dotted = Object.hasOwn(NAMES, name) ? NAMES[name] : name;
  if (dotted === undefined || !DOTTED.test(dotted))
    throw new Error(`csrAttributes: "${name}" is neither a known name nor a dotted object identifier`);
  return oid(dotted);
}

const extensionRequest = (extension: Buffer): Buffer =>
  sequence(identifier('extensionRequest'), setOf(sequence(extension)));

function write(attribute: CsrAttribute): Buffer {
  if (typeof attribute === 'string') return identifier(attribute);
  if ('values' in attribute) return sequence(identifier(attribute.type), setOf(...attribute.values.map(identifier)));
  if ('purposes' in attribute)
    return extensionRequest(writeExtension(purposes(attribute.purposes.map((name) => PURPOSES[name]))));
  const { extension, critical, value } = attribute;
  const flag = critical ? [Buffer.of(1, 1, 0xff)] : [];
  return extensionRequest(sequence(identifier(extension), ...flag, octets(Buffer.from(value, 'base64'))));
}

/** CsrAttrs ::= SEQUENCE OF AttrOrOID, DER (RFC 7030 4.5.2). @throws Error for a name that is unknown */
export function writeCsrAttributes(attributes: readonly CsrAttribute[]): Buffer {
  return sequence(...attributes.map(write));
}
