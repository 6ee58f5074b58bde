import type { FileContent } from './file-content.ts';

/** One key as the listing shows it. */
export type KeyEntry = {
  /** Absent where only the file name is known. */
  readonly id?: string;
  /** Name of the key file, in place of an id. */
  readonly file?: string;
  readonly store: 'file' | 'token';
  /** Label or slot of the token. */
  readonly token?: string;
  readonly kind?: 'key' | 'key-pair';
  /** `ec-p256`, `ec`, `rsa-<bits>`, `other`; `symmetric` in a file, `hmac-sha256`, `aes` or `symmetric` in a token. */
  readonly algorithm?: string;
  /** Whether the private bytes can be read out of the store: always from a file, from a token as CKA_EXTRACTABLE says. */
  readonly extractable?: boolean;
  readonly preloaded: boolean;
  readonly state: 'present' | 'missing' | 'empty' | 'unreadable' | 'unavailable';
  /** A key of this id in an earlier place is the one that is used. */
  readonly shadowed?: true;
  /** ISO 8601, UTC; null where no use is known. */
  readonly lastUsed: string | null;
};

export type FoundKey = Pick<KeyEntry, 'kind' | 'algorithm' | 'extractable' | 'state'>;

/** What a key file holds, in the words of the listing. */
export function describeContent(content: FileContent): FoundKey {
  switch (content.kind) {
    case 'absent':
      return { state: 'missing' };
    case 'empty':
      return { state: 'empty' };
    case 'unreadable':
      return { state: 'unreadable', kind: 'key-pair', extractable: true };
    case 'symmetric':
      return { state: 'present', kind: 'key', algorithm: 'symmetric', extractable: true };
    case 'pair': {
      const { parts } = content.key;
      const p256 = parts.algorithm === 'ECDSA' && parts.curveOid.toString('hex') === '06082a8648ce3d030107';
      const ec = p256 ? 'ec-p256' : 'ec';
      const rsaOrOther = parts.algorithm === 'RSA' ? `rsa-${parts.modulus.length * 8}` : 'other';
      const algorithm = parts.algorithm === 'ECDSA' ? ec : rsaOrOther;
      return { state: 'present', kind: 'key-pair', algorithm, extractable: true };
    }
  }
}
