import { ClientError, createUnixClient, decodeBase64 } from '../ipc/index.ts';
import type { Clock } from '../process/index.ts';

const VERSION = { 'api-version': '2021-05-01' } as const;

/** A key handle of keyd: a bearer token, never to be logged. */
export type KeyHandle = string & { readonly __brand: 'KeyHandle' };

/** What a symmetric key may be used for. */
export type KeyUsage = 'derive' | 'encrypt' | 'sign';

/** Names of `/parameters/{name}`. */
export type KeyPairParameter = 'algorithm' | 'ec-curve-oid' | 'ec-point' | 'rsa-modulus' | 'rsa-exponent';

/** What keyd signs with. */
export type SignInput =
  | { readonly algorithm: 'ECDSA'; readonly digest: Uint8Array }
  | { readonly algorithm: 'HMAC-SHA256'; readonly message: Uint8Array };

/**
 * keyd's API (spec/keys-service.md 3.5). Every call throws {@link ClientError}; a key that is not there is a refusal with status 400.
 */
export interface KeydClient {
  createKeyIfNotExists(keyId: string, usage: readonly KeyUsage[]): Promise<KeyHandle>;
  importKey(keyId: string, usage: readonly KeyUsage[], bytes: Uint8Array): Promise<KeyHandle>;
  loadKey(keyId: string): Promise<KeyHandle>;
  deleteKey(handle: KeyHandle): Promise<void>;
  /** `preferredAlgorithms` as keyd reads it, such as `ec-p256:rsa-4096:*`. */
  createKeyPairIfNotExists(keyId: string, preferredAlgorithms?: string): Promise<KeyHandle>;
  loadKeyPair(keyId: string): Promise<KeyHandle>;
  /** Moves the pair `from` to the id `to`, replacing what is there. */
  moveKeyPair(from: string, to: string): Promise<void>;
  deleteKeyPair(handle: KeyHandle): Promise<void>;
  /** Value as keyd gives it: plain text for `algorithm`, base64 for the others. */
  keyPairParameter(handle: KeyHandle, name: KeyPairParameter): Promise<string>;
  createDerivedKey(base: KeyHandle, derivationData: Uint8Array): Promise<KeyHandle>;
  /** The 32 bytes of a derived key. */
  exportDerivedKey(handle: KeyHandle): Promise<Buffer>;
  /** DER for ECDSA, 32 bytes for HMAC. */
  sign(handle: KeyHandle, input: SignInput): Promise<Buffer>;
  /** RSA private-key operation over a block, as TLS and X.509 signing need it. */
  encryptRsa(handle: KeyHandle, padding: 'RSA-PKCS1' | 'RSA-NO-PADDING', block: Uint8Array): Promise<Buffer>;
  /** Called whenever a connection to keyd has ended: handles may mean nothing to the next keyd. */
  onDisconnect?(listener: () => void): void;
  close(): Promise<void>;
}

const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');

/** Makes a client of keyd. `retries`: attempts after the first when there was no answer, 3 s apart; identityd uses 1, certd 0. */
export function createKeydClient(options: {
  readonly socketPath: string;
  readonly retries?: number;
  readonly clock?: Clock;
}): KeydClient {
  const unix = createUnixClient({ ...options, authority: 'keyd.sock' });

  async function member(answer: Promise<unknown>, name: string): Promise<string> {
    const value = ((await answer) as Record<string, unknown> | null | undefined)?.[name];
    if (typeof value !== 'string') throw new ClientError('malformed', `keyd answered without a string "${name}"`);
    return value;
  }
  const handleOf = async (answer: Promise<unknown>) => (await member(answer, 'keyHandle')) as KeyHandle;
  const post = (path: string, body: unknown) => unix.request({ method: 'POST', path, query: VERSION, body });
  const get = (path: string) => unix.request({ method: 'GET', path, query: VERSION });
  const del = async (path: string, keyHandle: KeyHandle) => {
    await unix.request({ method: 'DELETE', path, query: VERSION, body: { keyHandle } });
  };

  return {
    createKeyIfNotExists: (keyId, usage) => handleOf(post('/key', { keyId, usage: usage.join(',') })),
    importKey: (keyId, usage, bytes) =>
      handleOf(post('/key', { keyId, usage: usage.join(','), keyBytes: base64(bytes) })),
    loadKey: (keyId) => handleOf(get(`/key/${encodeURIComponent(keyId)}`)),
    deleteKey: (handle) => del('/key', handle),
    createKeyPairIfNotExists: (keyId, preferredAlgorithms) =>
      handleOf(post('/keypair', { keyId, preferredAlgorithms })),
    loadKeyPair: (keyId) => handleOf(get(`/keypair/${encodeURIComponent(keyId)}`)),
    async moveKeyPair(from, to) {
      await post(`/keypair/${encodeURIComponent(to)}`, { from });
    },
    deleteKeyPair: (handle) => del('/keypair', handle),
    keyPairParameter: (keyHandle, name) => member(post(`/parameters/${name}`, { keyHandle }), 'value'),
    createDerivedKey: (baseKeyHandle, derivationData) =>
      handleOf(post('/derivedkey', { baseKeyHandle, derivationData: base64(derivationData) })),
    exportDerivedKey: async (keyHandle) => decodeBase64(await member(post('/derivedkey/export', { keyHandle }), 'key')),
    async sign(keyHandle, input) {
      const parameters =
        input.algorithm === 'ECDSA' ? { digest: base64(input.digest) } : { message: base64(input.message) };
      return decodeBase64(
        await member(post('/sign', { keyHandle, algorithm: input.algorithm, parameters }), 'signature'),
      );
    },
    async encryptRsa(keyHandle, algorithm, block) {
      return decodeBase64(
        await member(post('/encrypt', { keyHandle, algorithm, plaintext: base64(block) }), 'ciphertext'),
      );
    },
    onDisconnect: (listener) => unix.onDisconnect(listener),
    close: () => unix.close(),
  };
}
