import { createPublicKey, type KeyObject } from 'node:crypto';
import { childOf, type DerNode, oidText, readDer, TAG } from './der.ts';
import { readPem } from './pem.ts';
import { verifySignature } from './signature-check.ts';

/** An extension as it stood in a request or certificate. */
export interface RawExtension {
  readonly oid: string;
  /** DER of the whole Extension, critical flag included. */
  readonly der: Buffer;
  /** Content of the octet string. */
  readonly value: Buffer;
}

/** A certificate request whose signature has been verified with its own key. */
export interface CertificateRequest {
  readonly der: Buffer;
  /** DER of the subject Name, encoding unchanged. */
  readonly subject: Buffer;
  readonly publicKey: KeyObject;
  /** DER of the SubjectPublicKeyInfo, as sent. */
  readonly publicKeyInfo: Buffer;
  /** Octets of the subjectPublicKey bit string: what a SubjectKeyIdentifier hashes. */
  readonly publicKeyBits: Buffer;
  /** Extensions asked for, in order; empty when the attribute is absent or damaged. */
  readonly extensions: readonly RawExtension[];
}

/** Raised for a request that cannot be used; the message tells its sender why. */
export class CsrError extends Error {
  override readonly name = 'CsrError';
}

/** PKCS#9 extensionRequest, and the older identifier of the same attribute that OpenSSL also reads. */
const EXTENSION_REQUEST = ['1.2.840.113549.1.9.14', '1.3.6.1.4.1.311.2.1.14'];
const TAG_UTF8_STRING = 0x0c;

/**
 * Reads the first request block of a PEM text (`CERTIFICATE REQUEST` or `NEW CERTIFICATE REQUEST`) and verifies its signature.
 * Text before the block and CRLF line ends are fine (spec/certificates-service.md 3).
 *
 * @throws CsrError when there is no block, it is no PKCS#10, its key is unusable, or the signature does not verify.
 */
export async function parseCsr(pem: string): Promise<CertificateRequest> {
  const { der, root } = readBlock(pem);
  const parts = attempt('certificate request is damaged', () => readParts(root));
  const publicKey = attempt('public key of the certificate request cannot be used', () =>
    createPublicKey({ key: Buffer.from(parts.publicKeyInfo.raw), format: 'der', type: 'spki' }),
  );
  if (!(await verifySignature(parts.algorithm, publicKey, parts.info.raw, parts.signature))) {
    throw new CsrError('CSR failed to be verified with its public key');
  }
  return {
    der,
    subject: Buffer.from(parts.subject.raw),
    publicKey,
    publicKeyInfo: Buffer.from(parts.publicKeyInfo.raw),
    publicKeyBits: Buffer.from(childOf(parts.publicKeyInfo, 1, TAG.bitString, 'public key bits').content.subarray(1)),
    extensions: wantedExtensions(parts.info.children[3]),
  };
}

function attempt<T>(message: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new CsrError(`${message}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function readBlock(pem: string): { der: Buffer; root: DerNode } {
  const [block] = attempt('certificate request is no PEM text', () =>
    readPem(pem, ['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST']),
  );
  if (!block) throw new CsrError('no PEM block "CERTIFICATE REQUEST" found; send the request as plain PEM text');
  return {
    der: block.der,
    root: attempt('certificate request is damaged', () => readDer(block.der, 'certificate request')),
  };
}

function readParts(root: DerNode) {
  const info = childOf(root, 0, TAG.sequence, 'request info');
  childOf(info, 0, TAG.integer, 'version');
  const subject = childOf(info, 1, TAG.sequence, 'subject');
  checkName(subject);
  const signatureBits = childOf(root, 2, TAG.bitString, 'signature').content;
  return {
    info,
    subject,
    publicKeyInfo: childOf(info, 2, TAG.sequence, 'public key'),
    algorithm: childOf(root, 1, TAG.sequence, 'signature algorithm'),
    signature: signatureBits.subarray(1),
  };
}

function checkName(name: DerNode): void {
  for (const rdn of name.children) {
    for (const attribute of rdn.children) {
      childOf(attribute, 0, TAG.oid, 'subject attribute type');
      const value = attribute.children[1];
      if (value?.tag === TAG_UTF8_STRING) new TextDecoder('utf-8', { fatal: true }).decode(value.content);
    }
  }
}

function wantedExtensions(attributes: DerNode | undefined): RawExtension[] {
  const attribute = attributes?.children.find((entry) => EXTENSION_REQUEST.includes(oidText(entry.children[0])));
  const list = attribute?.children[1]?.children[0];
  if (list?.tag !== TAG.sequence) return [];
  const extensions = list.children.map(readExtension);
  return extensions.every((extension) => extension !== undefined) ? extensions : [];
}

function readExtension(node: DerNode): RawExtension | undefined {
  const value = node.children.at(-1);
  const dotted = oidText(node.children[0]);
  const critical = node.children.length === 3 ? node.children[1] : undefined;
  const shaped =
    node.children.length >= 2 && node.children.length <= 3 && (critical === undefined || critical.tag === TAG.boolean);
  if (node.tag !== TAG.sequence || dotted === '' || value?.tag !== TAG.octetString || !shaped) return undefined;
  return { oid: dotted, der: Buffer.from(node.raw), value: Buffer.from(value.content) };
}
