import { type KeyObject, verify } from 'node:crypto';
import { type KeydClient, type KeyHandle, keydPublicKey, keydSignerFor } from '../clients/index.ts';
import { ClientError } from '../ipc/index.ts';
import type { X509Signer } from '../x509/index.ts';

/** Raised when a key pair of keyd is not the one that the certificate was made for. */
export class OtherKey extends Error {
  override readonly name = 'OtherKey';
}

/** A key pair of keyd: by its id, or by a handle that a caller gave. */
export type SigningKey = { readonly id: string } | { readonly handle: KeyHandle };

const MOST_HANDLES = 256;

function holds(publicKey: KeyObject, signed: Uint8Array, signature: Uint8Array): Promise<boolean> {
  return new Promise((resolve) => {
    verify('sha256', signed, publicKey, signature, (error, good) => resolve(!error && good));
  });
}

const isRefused = (error: unknown): boolean => error instanceof ClientError && error.kind === 'refused';

/**
 * Signs with key pairs of keyd whose public half is known already: from the issuer's certificate, or from the request. keyd is asked for the
 * signature alone, and each one is verified before it is used, so that a key that was changed meanwhile is never mistaken for the one
 * before. This also serves curves that keyd does not name (spec/certificates-service.md 8, CS-052).
 */
export class SigningKeys {
  readonly #keyd: KeydClient;
  readonly #handles = new Map<string, KeyHandle>();

  constructor(keyd: KeydClient) {
    this.#keyd = keyd;
  }

  /**
   * A signer for `key`, which has to be the pair of `publicKey`.
   *
   * Its `sign` throws OtherKey when it is not; ClientError as keyd answers.
   */
  signer(key: SigningKey, publicKey: KeyObject): X509Signer {
    return {
      ...keydSignerFor(this.#keyd, publicKey, '' as KeyHandle),
      sign: async (tbs) => {
        const signature = await this.#sign(key, publicKey, tbs);
        if (await holds(publicKey, tbs, signature)) return signature;
        throw new OtherKey('the key pair in keyd is not that of the certificate; name the key that it was made for');
      },
    };
  }

  async #sign(key: SigningKey, publicKey: KeyObject, tbs: Uint8Array): Promise<Uint8Array> {
    const known = 'handle' in key ? key.handle : this.#handles.get(key.id);
    if (known !== undefined) {
      try {
        return await keydSignerFor(this.#keyd, publicKey, known).sign(tbs);
      } catch (error) {
        if (!isRefused(error)) throw error;
        if ('handle' in key) throw await this.#otherKind(known, publicKey, error);
        this.#handles.delete(key.id);
      }
    }
    const handle = 'handle' in key ? key.handle : await this.#load(key.id);
    try {
      return await keydSignerFor(this.#keyd, publicKey, handle).sign(tbs);
    } catch (error) {
      throw isRefused(error) ? await this.#otherKind(handle, publicKey, error) : error;
    }
  }

  /** A refusal to sign may mean that the pair is of another kind: RSA where EC is wanted. */
  async #otherKind(handle: KeyHandle, wanted: KeyObject, refusal: unknown): Promise<unknown> {
    const own = await keydPublicKey(this.#keyd, handle).catch(() => undefined);
    if (!own || own.equals(wanted)) return refusal;
    return new OtherKey('the key pair in keyd is not that of the certificate; name the key that it was made for', {
      cause: refusal,
    });
  }

  async #load(id: string): Promise<KeyHandle> {
    const handle = await this.#keyd.loadKeyPair(id);
    this.#handles.set(id, handle);
    const oldest = this.#handles.size > MOST_HANDLES ? this.#handles.keys().next().value : undefined;
    if (oldest !== undefined) this.#handles.delete(oldest);
    return handle;
  }
}
