import { createSecretKey, type KeyObject } from 'node:crypto';
import { invalidParameter, ServiceError, type Uid } from '../ipc/index.ts';
import { checkIv, openAead, sealAead } from './aead.ts';
import type { Handles } from './handles.ts';
import { hmacSha256, type KeyRef } from './key-handle.ts';
import { checkKeyId, HANDLE_VALIDATION_KEY, nulFault } from './key-id.ts';
import type { KeyIndex } from './key-index.ts';
import type { KeyPairs } from './key-pairs.ts';
import { type AeadInput, type KeyUse, type PairMechanism, type PairParts, unsuitable } from './key-place.ts';
import { preferredAlgorithms } from './pair-algorithms.ts';
import type { Principals } from './principals.ts';
import type { SymmetricKeys } from './symmetric-keys.ts';

const NESTED = 'nested derived keys are not supported, import the outer derived key first';

type PlainRef = Extract<KeyRef, { id: string }>;
type DerivedRef = Extract<KeyRef, { kind: 'Derived' }>;

const wrongMechanism = () => invalidParameter('mechanism', 'mechanism cannot be used with this key type');

/** keyd's operations: authorisation by id, handles, and the keys behind them (spec/keys-service.md 4 to 6). */
export class KeyService {
  readonly #handles: Handles;
  readonly #keys: SymmetricKeys;
  readonly #pairs: KeyPairs;
  readonly #principals: () => Principals;
  readonly #index: KeyIndex;

  /** @param parts.principals the ones in force at the time of a call. */
  constructor(parts: {
    readonly handles: Handles;
    readonly keys: SymmetricKeys;
    readonly pairs: KeyPairs;
    readonly principals: () => Principals;
    readonly index: KeyIndex;
  }) {
    this.#handles = parts.handles;
    this.#keys = parts.keys;
    this.#pairs = parts.pairs;
    this.#principals = parts.principals;
    this.#index = parts.index;
  }

  /** Loads or makes a symmetric key, or stores `bytes` as it; answers a handle. */
  async createKey(uid: Uid, id: string, use: KeyUse, bytes: Buffer | undefined): Promise<string> {
    this.#authorize(uid, id, 'id');
    if (bytes) await this.#keys.import(id, use, bytes);
    else await this.#keys.create(id, use);
    return this.#mint({ kind: 'Key', id });
  }

  async loadKey(uid: Uid, id: string): Promise<string> {
    this.#authorize(uid, id, 'id');
    await this.#keys.load(id);
    return this.#mint({ kind: 'Key', id });
  }

  async deleteKey(uid: Uid, handle: string): Promise<void> {
    const ref = await this.#open(uid, handle);
    if (ref.kind !== 'Key') throw invalidParameter('handle', 'handle is not for a key');
    await this.#keys.delete(ref.id);
    this.#index.forget(ref.id);
  }

  /** Loads or makes a key pair; answers a handle. `preferred` as in {@link preferredAlgorithms}. */
  async createPair(uid: Uid, id: string, preferred: string | null | undefined): Promise<string> {
    this.#authorize(uid, id, 'id');
    const nul = nulFault(preferred ?? '');
    if (nul !== undefined) throw invalidParameter('preferred_algorithms', nul);
    await this.#pairs.create(id, preferredAlgorithms(preferred));
    return this.#mint({ kind: 'KeyPair', id });
  }

  async loadPair(uid: Uid, id: string): Promise<string> {
    this.#authorize(uid, id, 'id');
    await this.#pairs.load(id);
    return this.#mint({ kind: 'KeyPair', id });
  }

  async deletePair(uid: Uid, handle: string): Promise<void> {
    const { id } = await this.#pairRef(uid, handle);
    await this.#pairs.delete(id);
    this.#index.forget(id);
  }

  /** @param type `keypair`; `key`, which has a path of the same shape, cannot be moved. */
  async movePair(uid: Uid, type: string, from: string, to: string): Promise<void> {
    if (from === to) throw new ServiceError('key-move-same');
    if (type !== 'keypair') throw new ServiceError('key-move-type', { parameters: { type } });
    this.#allow(uid, from);
    this.#allow(uid, to);
    checkKeyId(from, 'from');
    checkKeyId(to, 'to');
    await this.#pairs.move(from, to);
    this.#index.forget(from);
    this.#index.note(to);
  }

  async pairParts(uid: Uid, handle: string): Promise<PairParts> {
    return this.#pairs.load((await this.#pairRef(uid, handle)).id);
  }

  /** A handle of a key that is never stored: HMAC-SHA256(base, data). */
  async derive(uid: Uid, base: string, data: Buffer): Promise<string> {
    await this.#baseRef(uid, base);
    return this.#handles.mint({ kind: 'Derived', base, data });
  }

  /** The 32 bytes of a derived key. */
  async exportDerived(uid: Uid, handle: string): Promise<Buffer> {
    const ref = await this.#open(uid, handle);
    if (ref.kind !== 'Derived') throw invalidParameter('handle', 'handle is not for a derived key');
    return this.#derivedBytes(uid, ref);
  }

  /** ECDSA over a digest (DER), or HMAC-SHA256 over a message. */
  async sign(uid: Uid, handle: string, algorithm: 'ECDSA' | 'HMAC-SHA256', input: Buffer): Promise<Buffer> {
    const opening = this.#open(uid, handle);
    const ref = opening instanceof Promise ? await opening : opening;
    if ((algorithm === 'ECDSA') !== (ref.kind === 'KeyPair')) throw wrongMechanism();
    if (ref.kind === 'Derived') return hmacSha256(await this.#derivedKey(uid, ref), input);
    const { kind, id } = ref;
    const answer = await (kind === 'KeyPair' ? this.#pairs.sign(id, 'ECDSA', input) : this.#keys.hmac(id, input));
    this.#index.note(id);
    return answer;
  }

  /** The bare RSA private-key operation. */
  async encryptRsa(uid: Uid, handle: string, padding: Exclude<PairMechanism, 'ECDSA'>, block: Buffer): Promise<Buffer> {
    const ref = await this.#open(uid, handle);
    if (ref.kind !== 'KeyPair') throw wrongMechanism();
    return this.#noted(ref.id, this.#pairs.sign(ref.id, padding, block));
  }

  /** There is no RSA decryption: the handle is checked, then the mechanism refused. */
  async refuseDecryption(uid: Uid, handle: string): Promise<never> {
    await this.#open(uid, handle);
    throw wrongMechanism();
  }

  async seal(uid: Uid, handle: string, input: AeadInput, plaintext: Buffer): Promise<Buffer> {
    const ref = await this.#aeadRef(uid, handle, input);
    if (ref.kind === 'Derived') return sealAead(await this.#derivedKey(uid, ref), input, plaintext);
    return this.#noted(ref.id, this.#keys.seal(ref.id, input, plaintext));
  }

  async open(uid: Uid, handle: string, input: AeadInput, ciphertext: Buffer): Promise<Buffer> {
    const ref = await this.#aeadRef(uid, handle, input);
    if (ref.kind === 'Derived') return openAead(await this.#derivedKey(uid, ref), input, ciphertext);
    return this.#noted(ref.id, this.#keys.open(ref.id, input, ciphertext));
  }

  async #aeadRef(uid: Uid, handle: string, input: AeadInput): Promise<KeyRef & { kind: 'Key' | 'Derived' }> {
    const ref = await this.#open(uid, handle);
    if (ref.kind === 'KeyPair') throw wrongMechanism();
    checkIv(input);
    return ref as KeyRef & { kind: 'Key' | 'Derived' };
  }

  async #pairRef(uid: Uid, handle: string): Promise<PlainRef> {
    const ref = await this.#open(uid, handle);
    if (ref.kind !== 'KeyPair') throw invalidParameter('handle', 'handle is not for a key pair');
    return ref;
  }

  async #baseRef(uid: Uid, handle: string): Promise<PlainRef> {
    const ref = await this.#open(uid, handle);
    if (ref.kind === 'Derived') throw invalidParameter('handle', NESTED);
    if (ref.kind === 'KeyPair') throw invalidParameter('handle', 'handle is not for a key');
    return ref;
  }

  async #derivedBytes(uid: Uid, { base, data }: DerivedRef): Promise<Buffer> {
    const { id } = await this.#baseRef(uid, base);
    return this.#noted(id, this.#keys.hmac(id, data));
  }

  /** The answer of a use of this key, which counts where it succeeds. */
  async #noted<T>(id: string, use: Promise<T>): Promise<T> {
    const answer = await use;
    this.#index.note(id);
    return answer;
  }

  #mint(ref: PlainRef): Promise<string> {
    return this.#noted(ref.id, this.#handles.mint(ref));
  }

  async #derivedKey(uid: Uid, ref: DerivedRef): Promise<KeyObject> {
    return createSecretKey(await this.#derivedBytes(uid, ref));
  }

  /** A handle is a bearer token, but none works for the key that signs handles: its holder could sign others. */
  #open(uid: Uid, handle: string): KeyRef | Promise<KeyRef> {
    const ref = this.#handles.open(handle);
    return ref instanceof Promise ? ref.then((opened) => this.#usable(uid, opened)) : this.#usable(uid, ref);
  }

  #usable(uid: Uid, ref: KeyRef): KeyRef {
    if (ref.kind !== 'Derived' && ref.id === HANDLE_VALIDATION_KEY) this.#allow(uid, ref.id);
    return ref;
  }

  #allow(uid: Uid, id: string): void {
    if (this.#principals().allows(uid, id)) return;
    throw new ServiceError('key-unauthorized', { parameters: { uid, id } });
  }

  #authorize(uid: Uid, id: string, parameter: 'id'): void {
    this.#allow(uid, id);
    checkKeyId(id, parameter);
  }
}

/** The value of `/parameters/{name}`; throws the 400 for names that the key does not have (spec/keys-service.md 6.3). */
export function pairParameter(parts: PairParts, name: string): string {
  const P256_OID = '06082a8648ce3d030107';
  if (parts.algorithm !== 'other' && name === 'algorithm') return parts.algorithm;
  if (parts.algorithm === 'ECDSA' && name === 'ec-point') return parts.compressedPoint.toString('base64');
  if (parts.algorithm === 'ECDSA' && name === 'ec-curve-oid' && parts.curveOid.toString('hex') === P256_OID) {
    return parts.curveOid.toString('base64');
  }
  if (parts.algorithm === 'RSA' && name === 'rsa-modulus') return parts.modulus.toString('base64');
  if (parts.algorithm === 'RSA' && name === 'rsa-exponent') return parts.exponent.toString('base64');
  throw unsuitable(`the key pair has no parameter "${name}"`);
}
