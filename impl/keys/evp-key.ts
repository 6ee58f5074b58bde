import koffi from 'koffi';

/**
 * Private-key operations that node:crypto does not offer off the event loop or over a given digest, through the OpenSSL that Node itself
 * has loaded (design.md 3). Loading the system's libcrypto beside it would crash.
 */
const openssl = koffi.load(null);
const d2iAutoPrivateKey = openssl.func('void *d2i_AutoPrivateKey(void **a, const uint8_t **pp, long length)');
const keyFree = openssl.func('void EVP_PKEY_free(void *key)');
const contextNew = openssl.func('void *EVP_PKEY_CTX_new(void *key, void *engine)');
const contextFree = openssl.func('void EVP_PKEY_CTX_free(void *context)');
const signInit = openssl.func('int EVP_PKEY_sign_init(void *context)');
const setRsaPadding = openssl.func('int EVP_PKEY_CTX_set_rsa_padding(void *context, int padding)');
const evpSign = openssl.func(
  'int EVP_PKEY_sign(void *context, _Out_ uint8_t *signature, _Inout_ size_t *length, const uint8_t *input, size_t inputLength)',
);
const clearErrors = openssl.func('void ERR_clear_error()');

/** Values of OpenSSL's RSA_PKCS1_PADDING and RSA_NO_PADDING. */
const PADDING = { 'RSA-PKCS1': 1, 'RSA-NO-PADDING': 3 } as const;
/** Room for the largest signature: RSA with 16384 bits. */
const LONGEST_SIGNATURE_BYTES = 2048;

const release = new FinalizationRegistry<unknown>((key) => keyFree(key));

/** A private key inside OpenSSL; it is freed when the object is no longer reachable. */
export class EvpKey {
  readonly #key: unknown;
  readonly #quick: boolean;

  /** @param quick the key signs in some 30 µs (P-256), less than a thread hop costs: then it signs at once. */
  constructor(pkcs8: Buffer, quick: boolean) {
    const key: unknown = d2iAutoPrivateKey(null, [pkcs8], pkcs8.length);
    if (!key) {
      clearErrors();
      throw new Error('OpenSSL could not read the private key');
    }
    this.#key = key;
    this.#quick = quick;
    release.register(this, key);
  }

  /** ECDSA over a digest (DER), or the bare RSA operation over a block. Slow keys sign on a thread. Rejects when OpenSSL refuses. */
  async sign(mechanism: 'ECDSA' | keyof typeof PADDING, input: Buffer): Promise<Buffer> {
    const context: unknown = contextNew(this.#key, null);
    try {
      if (!context || signInit(context) !== 1) throw new Error('OpenSSL could not prepare to sign');
      if (mechanism !== 'ECDSA' && setRsaPadding(context, PADDING[mechanism]) !== 1) {
        throw new Error('OpenSSL did not take the RSA padding');
      }
      const signature = Buffer.alloc(LONGEST_SIGNATURE_BYTES);
      const length = [signature.length];
      const call = [context, signature, length, input, input.length] as const;
      const result = this.#quick ? evpSign(...call) : await evpSignOnThread(call);
      if (result !== 1) throw new Error(`OpenSSL refused to sign ${input.length} bytes with ${mechanism}`);
      return signature.subarray(0, Number(length[0]));
    } catch (error) {
      clearErrors();
      throw error;
    } finally {
      if (context) contextFree(context);
    }
  }
}

function evpSignOnThread(call: readonly unknown[]): Promise<number> {
  return new Promise((resolve, reject) => {
    evpSign.async(...call, (error: Error | null, result: number) => {
      if (error) reject(error);
      else resolve(result);
    });
  });
}
