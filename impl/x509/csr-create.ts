import { bitString, octetString, oid, sequence, TAG, unsignedInteger, wrap } from './der.ts';
import { encodeName, type NameEntries } from './name.ts';
import { writePem } from './pem.ts';
import { algorithmIdentifier, type X509Signer } from './signer.ts';

/** An extension to ask for: dotted OID, DER of the value inside the octet string. */
export interface WantedExtension {
  readonly oid: string;
  readonly critical?: boolean;
  readonly value: Uint8Array;
}

const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';
const DER_TRUE = Buffer.of(TAG.boolean, 1, 0xff);

/** Extended key usage with the given purposes (dotted OIDs), not critical. */
export function extendedKeyUsage(...purposes: readonly string[]): WantedExtension {
  return { oid: '2.5.29.37', value: sequence(...purposes.map(oid)) };
}

/** Purpose of TLS client certificates (RFC 5280 4.2.1.12). */
export const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

/** Key usage bits in the order of RFC 5280 4.2.1.3. */
export type KeyUsageBit =
  | 'digitalSignature'
  | 'nonRepudiation'
  | 'keyEncipherment'
  | 'dataEncipherment'
  | 'keyAgreement'
  | 'keyCertSign'
  | 'cRLSign';

const KEY_USAGE_BITS: readonly KeyUsageBit[] = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
];

/** Key usage, critical. */
export function keyUsage(...bits: readonly KeyUsageBit[]): WantedExtension {
  const positions = bits.map((bit) => KEY_USAGE_BITS.indexOf(bit));
  const octet = positions.reduce((sum, position) => sum | (0x80 >> position), 0);
  const unused = 7 - Math.max(0, ...positions);
  return { oid: '2.5.29.15', critical: true, value: wrap(TAG.bitString, Buffer.of(unused, octet)) };
}

/** Basic constraints, critical: a CA with an optional limit on the CAs below it, or no CA. */
export function basicConstraints(kind: { readonly pathLength?: number } | 'not-a-ca'): WantedExtension {
  const parts: Buffer[] = kind === 'not-a-ca' ? [] : [DER_TRUE];
  if (kind !== 'not-a-ca' && kind.pathLength !== undefined) parts.push(unsignedInteger(Buffer.of(kind.pathLength)));
  return { oid: '2.5.29.19', critical: true, value: sequence(...parts) };
}

/** Subject alternative names that are DNS names. */
export function dnsNames(...names: readonly string[]): WantedExtension {
  return { oid: '2.5.29.17', value: sequence(...names.map((name) => wrap(0x82, Buffer.from(name, 'ascii')))) };
}

/** DER of an Extension (RFC 5280 4.1). */
export function encodeExtension({ oid: dotted, critical, value }: WantedExtension): Buffer {
  return sequence(oid(dotted), ...(critical ? [DER_TRUE] : []), octetString(value));
}

/**
 * Makes a certificate request (RFC 2986): version 0, the subject's RDNs in the order given, the extension request attribute only when
 * extensions are given, signed with SHA-256.
 *
 * @param subject entries, or DER of a Name that is taken as it is.
 * @returns PEM `CERTIFICATE REQUEST` in 64 columns.
 * @throws NameError for a bad subject; whatever the signer rejects with.
 */
export async function createCsr(request: {
  readonly subject: NameEntries | Uint8Array;
  readonly extensions?: readonly WantedExtension[];
  readonly signer: X509Signer;
}): Promise<string> {
  const { subject, extensions = [], signer } = request;
  const name = subject instanceof Uint8Array ? subject : encodeName(subject);
  const attributes = extensions.length === 0 ? [] : [extensionRequest(extensions)];
  const info = sequence(
    unsignedInteger(Buffer.of(0)),
    name,
    signer.publicKey.export({ format: 'der', type: 'spki' }),
    wrap(TAG.context0, ...attributes),
  );
  const signature = await signer.sign(info);
  const der = sequence(info, algorithmIdentifier(signer.signatureAlgorithm), bitString(signature));
  return writePem('CERTIFICATE REQUEST', der);
}

function extensionRequest(extensions: readonly WantedExtension[]): Buffer {
  return sequence(oid(EXTENSION_REQUEST), wrap(TAG.set, sequence(...extensions.map(encodeExtension))));
}
