import { constants, type KeyObject, verify } from 'node:crypto';
import { type DerNode, oidText, TAG } from './der.ts';

interface Scheme {
  /** Digest name for OpenSSL; undefined where the scheme hashes by itself (Ed25519, Ed448). */
  readonly digest: string | undefined;
  readonly keyTypes: readonly string[];
}

const ECDSA = ['ec'];
const RSA = ['rsa'];
const SCHEMES: Readonly<Record<string, Scheme>> = {
  '1.2.840.10045.4.1': { digest: 'sha1', keyTypes: ECDSA },
  '1.2.840.10045.4.3.1': { digest: 'sha224', keyTypes: ECDSA },
  '1.2.840.10045.4.3.2': { digest: 'sha256', keyTypes: ECDSA },
  '1.2.840.10045.4.3.3': { digest: 'sha384', keyTypes: ECDSA },
  '1.2.840.10045.4.3.4': { digest: 'sha512', keyTypes: ECDSA },
  '1.2.840.113549.1.1.5': { digest: 'sha1', keyTypes: RSA },
  '1.2.840.113549.1.1.14': { digest: 'sha224', keyTypes: RSA },
  '1.2.840.113549.1.1.11': { digest: 'sha256', keyTypes: RSA },
  '1.2.840.113549.1.1.12': { digest: 'sha384', keyTypes: RSA },
  '1.2.840.113549.1.1.13': { digest: 'sha512', keyTypes: RSA },
  '1.3.101.112': { digest: undefined, keyTypes: ['ed25519'] },
  '1.3.101.113': { digest: undefined, keyTypes: ['ed448'] },
};
const RSA_PSS = '1.2.840.113549.1.1.10';
const DIGESTS: Readonly<Record<string, string>> = {
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.4': 'sha224',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
};

function checkOnThreadPool(
  digest: string | undefined,
  signed: Uint8Array,
  key: Parameters<typeof verify>[2],
  signature: Uint8Array,
): Promise<boolean> {
  return new Promise((resolve) => {
    verify(digest, signed, key, signature, (error, good) => resolve(!error && good));
  });
}

function pssDigest(parameters: DerNode | undefined): string | undefined {
  const hash = parameters?.children.find((child) => child.tag === TAG.context0);
  return hash === undefined ? 'sha1' : DIGESTS[oidText(hash.children[0]?.children[0])];
}

/**
 * Lets OpenSSL verify a signature made under an AlgorithmIdentifier. An algorithm that is unknown, or of another kind than the key, is
 * "no".
 *
 * @param algorithm decoded AlgorithmIdentifier.
 */
export async function verifySignature(
  algorithm: DerNode,
  key: KeyObject,
  signed: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  const dotted = oidText(algorithm.children[0]);
  const type = key.asymmetricKeyType ?? '';
  if (dotted === RSA_PSS) {
    const digest = pssDigest(algorithm.children[1]);
    if (digest === undefined || !['rsa', 'rsa-pss'].includes(type)) return false;
    const padded = { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO };
    return checkOnThreadPool(digest, signed, padded, signature);
  }
  const scheme = SCHEMES[dotted];
  if (!scheme?.keyTypes.includes(type)) return false;
  return checkOnThreadPool(scheme.digest, signed, key, signature);
}
