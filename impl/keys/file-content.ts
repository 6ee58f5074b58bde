import { createSecretKey, type KeyObject } from 'node:crypto';
import { looksLikePrivateKey } from './key-pem.ts';
import { unsuitable } from './key-place.ts';
import { PrivateKey } from './private-key.ts';

/** What a key file holds. Symmetric keys are raw bytes; a PEM private key is never taken for one. */
export type FileContent =
  | { readonly kind: 'absent' }
  | { readonly kind: 'empty' }
  | { readonly kind: 'symmetric'; readonly secret: KeyObject }
  | { readonly kind: 'pair'; readonly key: PrivateKey }
  /** A PEM private key that cannot be read: damaged, or under a passphrase. */
  | { readonly kind: 'unreadable'; readonly reason: string };

/** Tells apart what a key file may hold; the bytes are not kept. */
export function readContent(bytes: Buffer): FileContent {
  if (bytes.length === 0) return { kind: 'empty' };
  if (!looksLikePrivateKey(bytes)) return { kind: 'symmetric', secret: createSecretKey(bytes) };
  try {
    return { kind: 'pair', key: new PrivateKey(bytes) };
  } catch (error) {
    return { kind: 'unreadable', reason: (error as Error).message };
  }
}

/** The symmetric key of a file; undefined where there is none. An empty file is a fault, a private key an unfit one. */
export function symmetricOf(content: FileContent, path: string): KeyObject | undefined {
  switch (content.kind) {
    case 'absent':
      return undefined;
    case 'symmetric':
      return content.secret;
    case 'empty':
      throw new Error(`key file ${path} is empty; create the key again, or put its bytes back`);
    default:
      throw unsuitable(`key file ${path} holds a private key, not a symmetric key`);
  }
}

/** The private key of a file; undefined where there is none. Everything else in the file is a fault. */
export function pairOf(content: FileContent, path: string): PrivateKey | undefined {
  switch (content.kind) {
    case 'absent':
      return undefined;
    case 'pair':
      return content.key;
    case 'empty':
      throw new Error(`key file ${path} is empty; create the key pair again, or put the file back`);
    case 'symmetric':
      throw new Error(`key file ${path} holds no PEM private key`);
    case 'unreadable':
      throw new Error(`key file ${path} cannot be used: ${content.reason}`);
  }
}
