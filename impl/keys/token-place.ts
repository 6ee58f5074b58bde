import { checkIv, splitCiphertext, VERSION_2 } from './aead.ts';
import {
  type AeadInput,
  type KeyPlace,
  type KeyUse,
  type PairMechanism,
  type PairParts,
  unsuitable,
} from './key-place.ts';
import type { PairAlgorithm } from './pair-algorithms.ts';
import type { Pkcs11Uri } from './pkcs11-uri.ts';
import type { TokenHost } from './token/index.ts';
import type { TokenOutcome, TokenTask } from './token/messages.ts';

type Done = Extract<TokenOutcome, { outcome: 'done' }>;

/** Objects of a token as the place of one key. A place without a label (preloaded, no `object`) can be used but not changed. */
export class TokenPlace implements KeyPlace {
  readonly kind = 'token';
  readonly uri: Pkcs11Uri;
  readonly #host: TokenHost;

  constructor(uri: Pkcs11Uri, host: TokenHost) {
    this.uri = uri;
    this.#host = host;
  }

  async hasKey(): Promise<boolean> {
    return (await this.#find({ task: 'has-secret', label: this.uri.object })) !== undefined;
  }

  makeKey(use: KeyUse): Promise<'made' | 'unsupported'> {
    return this.#make(use);
  }

  importKey(bytes: Buffer, use: KeyUse): Promise<'made' | 'unsupported'> {
    return this.#make(use, bytes);
  }

  async deleteKey(): Promise<void> {
    await this.#find({ task: 'delete-secret', label: this.#label() });
  }

  async hmac(message: Buffer): Promise<Buffer | undefined> {
    return (await this.#find({ task: 'hmac', label: this.uri.object, data: message }))?.bytes;
  }

  async seal(input: AeadInput, plaintext: Buffer): Promise<Buffer | undefined> {
    checkIv(input);
    const { iv, aad } = input;
    const found = await this.#find({ task: 'seal', label: this.uri.object, iv, aad, data: plaintext });
    return found?.bytes && Buffer.concat([Buffer.of(VERSION_2), found.bytes]);
  }

  async open(input: AeadInput, ciphertext: Buffer): Promise<Buffer | undefined> {
    const { version, rest } = splitCiphertext(ciphertext);
    if (version !== VERSION_2) {
      // a key that the token could not take is in a file, which reads it
      if (!(await this.hasKey())) return undefined;
      throw unsuitable(`a token reads no ciphertext of version ${version}`);
    }
    const { iv, aad } = input;
    return (await this.#find({ task: 'open-sealed', label: this.uri.object, iv, aad, data: rest }))?.bytes;
  }

  async hasPair(): Promise<boolean> {
    return (await this.pairParts()) !== undefined;
  }

  async pairParts(): Promise<PairParts | undefined> {
    return (await this.#find({ task: 'pair', label: this.uri.object }))?.pair;
  }

  async makePair(algorithms: readonly PairAlgorithm[]): Promise<void> {
    await this.#find({ task: 'make-pair', label: this.#label(), algorithms });
  }

  async deletePair(): Promise<void> {
    await this.#find({ task: 'delete-pair', label: this.#label() });
  }

  async sign(mechanism: PairMechanism, input: Buffer): Promise<Buffer | undefined> {
    return (await this.#find({ task: 'sign', label: this.uri.object, mechanism, data: input }))?.bytes;
  }

  /** Gives this pair the label of another place. Answers false where this place holds no pair. */
  async moveTo(target: TokenPlace): Promise<boolean> {
    return (await this.#find({ task: 'move-pair', from: this.#label(), to: target.#label() })) !== undefined;
  }

  #label(): string {
    if (this.uri.object === undefined) throw unsuitable('a preloaded token key without object= cannot be changed');
    return this.uri.object;
  }

  async #make(use: KeyUse, bytes?: Buffer): Promise<'made' | 'unsupported'> {
    if (use === 'mixed') throw unsuitable('a key of a token is either for encrypt, or for sign and derive');
    const task: TokenTask = { task: 'make-secret', label: this.#label(), use, ...(bytes && { bytes }) };
    const result = await this.#host.run({ slot: this.uri.slot, pin: this.uri.pin }, task);
    return result.outcome === 'unsupported' ? 'unsupported' : 'made';
  }

  async #find(task: TokenTask): Promise<Done | undefined> {
    const result = await this.#host.run({ slot: this.uri.slot, pin: this.uri.pin }, task);
    switch (result.outcome) {
      case 'done':
        return result;
      case 'missing':
        return undefined;
      default:
        throw unsuitable(result.reason);
    }
  }
}
