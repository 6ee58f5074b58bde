import { exchange, expectStatus, stringMember, type WireResult, type World } from '../runner/index.ts';

/** Calls keyd as one uid, each call on a connection of its own. */
export class Caller {
  readonly #world: World;
  readonly #uid: number;
  readonly #version: string;

  constructor(world: World, uid = 0, version = '2021-05-01') {
    this.#world = world;
    this.#uid = uid;
    this.#version = version;
  }

  /** Any method on a path; the api-version is appended. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string | null>): Promise<WireResult> {
    const target = `${path}${path.includes('?') ? '&' : '?'}api-version=${this.#version}`;
    return exchange(this.#world.socket('keyd'), this.#uid, { method, target, body, ...(headers ? { headers } : {}) });
  }

  get(path: string): Promise<WireResult> {
    return this.call('GET', path);
  }

  post(path: string, body?: unknown): Promise<WireResult> {
    return this.call('POST', path, body);
  }

  delete(path: string, body?: unknown): Promise<WireResult> {
    return this.call('DELETE', path, body);
  }

  /** Creates (or imports) a symmetric key and gives its handle. */
  async key(keyId: string, usage = 'sign', keyBytes?: string): Promise<string> {
    const body = keyBytes === undefined ? { keyId, usage } : { keyId, usage, keyBytes };
    return stringMember(expectStatus(await this.post('/key', body), 200), 'keyHandle');
  }

  /** Creates a key pair and gives its handle. */
  async pair(keyId: string, preferredAlgorithms?: string): Promise<string> {
    const body = preferredAlgorithms === undefined ? { keyId } : { keyId, preferredAlgorithms };
    return stringMember(expectStatus(await this.post('/keypair', body), 200), 'keyHandle');
  }

  /** A public parameter of a key pair. */
  async parameter(name: string, keyHandle: string): Promise<string> {
    return stringMember(expectStatus(await this.post(`/parameters/${name}`, { keyHandle }), 200), 'value');
  }

  signHmac(keyHandle: string, message: string): Promise<WireResult> {
    const encoded = Buffer.from(message).toString('base64');
    return this.post('/sign', { keyHandle, algorithm: 'HMAC-SHA256', parameters: { message: encoded } });
  }

  /** HMAC-SHA256 of a text under a key, in base64. */
  async mac(keyHandle: string, message: string): Promise<string> {
    return stringMember(expectStatus(await this.signHmac(keyHandle, message), 200), 'signature');
  }

  /** The ECDSA signature over a digest, in DER. */
  async ecdsa(keyHandle: string, digest: Uint8Array): Promise<Buffer> {
    const answer = expectStatus(await this.signEcdsa(keyHandle, digest), 200);
    return Buffer.from(stringMember(answer, 'signature'), 'base64');
  }

  signEcdsa(keyHandle: string, digest: Uint8Array): Promise<WireResult> {
    const encoded = Buffer.from(digest).toString('base64');
    return this.post('/sign', { keyHandle, algorithm: 'ECDSA', parameters: { digest: encoded } });
  }

  derive(baseKeyHandle: string, data: Uint8Array): Promise<WireResult> {
    return this.post('/derivedkey', { baseKeyHandle, derivationData: Buffer.from(data).toString('base64') });
  }

  /** AEAD in either direction; texts are taken as UTF-8, `input` is base64. */
  aead(
    direction: 'encrypt' | 'decrypt',
    keyHandle: string,
    input: string,
    { iv = '123456789012', aad = 'someaad' }: { readonly iv?: string; readonly aad?: string } = {},
  ): Promise<WireResult> {
    const parameters = { iv: Buffer.from(iv).toString('base64'), aad: Buffer.from(aad).toString('base64') };
    const member = direction === 'encrypt' ? 'plaintext' : 'ciphertext';
    return this.post(`/${direction}`, { keyHandle, algorithm: 'AEAD', parameters, [member]: input });
  }

  encryptRsa(keyHandle: string, algorithm: string, bytes: Uint8Array): Promise<WireResult> {
    return this.post('/encrypt', { keyHandle, algorithm, plaintext: Buffer.from(bytes).toString('base64') });
  }
}
