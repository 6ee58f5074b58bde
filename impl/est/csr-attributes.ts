import { type DerNode, oidText, readDer, TAG, type WantedExtension } from '../x509/index.ts';
import { type EstAnswer, EstError } from './answer.ts';

/** What a server wants to see in requests (RFC 7030 4.5.2, RFC 9908). */
export interface CsrAttributes {
  /** In keyd's words, the server's preference first; empty when it has none. */
  readonly keyAlgorithms: readonly string[];
  /** Extensions with the values to ask for. */
  readonly extensions: readonly WantedExtension[];
  /** Dotted identifiers of what cannot be provided, for the log. */
  readonly unknown: readonly string[];
}

export const NO_ATTRIBUTES: CsrAttributes = { keyAlgorithms: [], extensions: [], unknown: [] };

const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';
const EC_PUBLIC_KEY = '1.2.840.10045.2.1';
const RSA = '1.2.840.113549.1.1.1';
const CURVES: Readonly<Record<string, string>> = { '1.2.840.10045.3.1.7': 'ec-p256' };
const RSA_SIZES: Readonly<Record<number, string>> = { 2048: 'rsa-2048', 4096: 'rsa-4096' };
/** Signatures over SHA-256 are made anyway. */
const MET = new Set(['1.2.840.10045.4.3.2', '1.2.840.113549.1.1.11', '2.16.840.1.101.3.4.2.1']);
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * Reads an answer to csrattrs: 204 and 404 mean that the server has no wishes.
 *
 * @throws EstError for another status, or a body that is no base64 of a SEQUENCE of identifiers and attributes.
 */
export function readCsrAttributes(answer: EstAnswer): CsrAttributes {
  if (answer.status === 204 || answer.status === 404) return NO_ATTRIBUTES;
  if (answer.status !== 200)
    throw new EstError(`EST server answered ${answer.status} to csrattrs`, { status: answer.status });
  const text = answer.body.toString('latin1').replace(/\s/g, '');
  if (text === '') return NO_ATTRIBUTES;
  if (!BASE64.test(text)) throw new EstError('EST server answered csrattrs with something other than base64');
  let root: DerNode;
  try {
    root = readDer(Buffer.from(text, 'base64'), 'list of attributes');
  } catch (cause) {
    throw new EstError('EST server answered csrattrs with a damaged list', { cause });
  }
  if (root.tag !== TAG.sequence) throw new EstError('EST server answered csrattrs with something other than a list');
  const found = root.children.map(readOne);
  return {
    keyAlgorithms: found.flatMap(({ algorithms = [] }) => algorithms),
    extensions: found.flatMap(({ extensions = [] }) => extensions),
    unknown: found.flatMap(({ unknown }) => (unknown === undefined ? [] : [unknown])),
  };
}

interface Wish {
  readonly algorithms?: readonly string[];
  readonly extensions?: readonly WantedExtension[];
  readonly unknown?: string;
}

function readOne(node: DerNode): Wish {
  const name = node.tag === TAG.oid ? oidText(node) : oidText(node.children[0]);
  const values = node.children[1]?.tag === TAG.set ? node.children[1].children : [];
  if (MET.has(name)) return {};
  if (name === EC_PUBLIC_KEY) {
    const curve = CURVES[oidText(values[0])];
    return curve || values.length === 0 ? { algorithms: [curve ?? 'ec-p256'] } : { unknown: oidText(values[0]) };
  }
  if (name === RSA) {
    const size = RSA_SIZES[Number(`0x${Buffer.from(values[0]?.content ?? []).toString('hex') || '0'}`)];
    return size || values.length === 0 ? { algorithms: [size ?? 'rsa-2048'] } : { unknown: name };
  }
  if (name === EXTENSION_REQUEST) return { extensions: (values[0]?.children ?? []).flatMap(readExtension) };
  return { unknown: name };
}

function readExtension(node: DerNode): WantedExtension[] {
  const oid = oidText(node.children[0]);
  const value = node.children.at(-1);
  const critical = node.children.length === 3 && node.children[1]?.content[0] === 0xff;
  if (oid === '' || value?.tag !== TAG.octetString || value.content.length === 0) return [];
  return [{ oid, critical, value: value.content }];
}
