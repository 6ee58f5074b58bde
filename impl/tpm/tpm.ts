import { sized, u8, u16, u32 } from './bytes.ts';
import { type Authorisation, NO_PASSWORD } from './command.ts';
import {
  ALGORITHMS,
  CAPABILITY_HANDLES,
  FIRST_HANDLES,
  HANDLES,
  type Handle,
  POLICY_SESSION,
  toHandle,
} from './constants.ts';
import type { TpmLink } from './link.ts';

const NONE = u16(0);
/** More handles than a TPM has loaded. */
const MANY_HANDLES = 254;
const AES_128_CFB = Buffer.concat([u16(ALGORITHMS.aes), u16(128), u16(ALGORITHMS.cfb)]);
const SHA_256 = u16(ALGORITHMS.sha256);

/** Auth values of the hierarchies, as they go on the wire. */
export interface HierarchyAuth {
  readonly owner: Authorisation;
  readonly endorsement: Authorisation;
}

/** The TPM commands that tpmd uses, one method each (TPM 2.0 Library, Part 3). Every method rejects with TpmError or LinkError. */
export class Tpm {
  readonly #link: TpmLink;
  readonly #auth: HierarchyAuth;

  constructor(link: TpmLink, auth: HierarchyAuth) {
    this.#link = link;
    this.#auth = auth;
  }

  /** TPM2B_PUBLIC of a loaded or persistent object. */
  async readPublic(handle: Handle): Promise<Buffer> {
    const { parameters } = await this.#link.run({ name: 'ReadPublic', handles: [handle] });
    return sized(parameters.sized());
  }

  /** The transient objects, or the sessions, that are loaded now: as far as the way to the TPM shows them. */
  async loaded(kind: 'transient' | 'session'): Promise<Handle[]> {
    const { parameters } = await this.#link.run({
      name: 'GetCapability',
      handles: [],
      parameters: [u32(CAPABILITY_HANDLES), u32(FIRST_HANDLES[kind]), u32(MANY_HANDLES)],
    });
    // moreData, then the capability again
    parameters.take(5);
    return Array.from({ length: parameters.u32() }, () => toHandle(parameters.u32()));
  }

  /** Makes a primary key from its template (TPMT_PUBLIC); gives its transient handle and its TPM2B_PUBLIC. */
  async createPrimary(
    hierarchy: 'owner' | 'endorsement',
    template: Buffer,
  ): Promise<{ readonly handle: Handle; readonly publicArea: Buffer }> {
    const noSensitive = sized(Buffer.concat([NONE, NONE]));
    const { handle, parameters } = await this.#link.run({
      name: 'CreatePrimary',
      handles: [HANDLES[hierarchy]],
      authorisations: [this.#auth[hierarchy]],
      parameters: [noSensitive, sized(template), NONE, u32(0)],
      returnsHandle: true,
    });
    return { handle, publicArea: sized(parameters.sized()) };
  }

  /** Makes a transient object persistent, or, when `object` is the persistent handle itself, removes it. */
  async evictControl(object: Handle, persistent: Handle): Promise<void> {
    await this.#link.run({
      name: 'EvictControl',
      handles: [HANDLES.owner, object],
      authorisations: [this.#auth.owner],
      parameters: [u32(persistent)],
    });
  }

  /** Unloads a transient object, a sequence or a session. */
  async flush(handle: Handle): Promise<void> {
    await this.#link.run({ name: 'FlushContext', handles: [], parameters: [u32(handle)] });
  }

  /** Starts an unbound, unsalted policy session. `nonce`: 32 random bytes. */
  async startPolicySession(nonce: Uint8Array): Promise<Handle> {
    const { handle } = await this.#link.run({
      name: 'StartAuthSession',
      handles: [HANDLES.null, HANDLES.null],
      parameters: [sized(nonce), NONE, u8(POLICY_SESSION), AES_128_CFB, SHA_256],
      returnsHandle: true,
    });
    return handle;
  }

  /** Satisfies the policy of the endorsement key. */
  async policySecret(session: Handle): Promise<void> {
    await this.#link.run({
      name: 'PolicySecret',
      handles: [HANDLES.endorsement, session],
      authorisations: [this.#auth.endorsement],
      parameters: [NONE, NONE, NONE, u32(0)],
    });
  }

  /** The digest that a policy session has come to. */
  async policyDigest(session: Handle): Promise<Buffer> {
    const { parameters } = await this.#link.run({ name: 'PolicyGetDigest', handles: [session] });
    return parameters.sized();
  }

  /** Opens a credential made for this EK and SRK; `credential` and `secret` with their sizes. Gives what it held. */
  async activateCredential(session: Handle, credential: Buffer, secret: Buffer): Promise<Buffer> {
    const { parameters } = await this.#link.run({
      name: 'ActivateCredential',
      handles: [HANDLES.storageRootKey, HANDLES.endorsementKey],
      authorisations: [NO_PASSWORD, { kind: 'session', session }],
      parameters: [credential, secret],
    });
    return parameters.sized();
  }

  /** Takes a duplicated key under the SRK; gives its TPM2B_PRIVATE. */
  async import(options: {
    readonly innerKey: Buffer;
    readonly publicArea: Buffer;
    readonly duplicate: Buffer;
    readonly secret: Buffer;
  }): Promise<Buffer> {
    const { parameters } = await this.#link.run({
      name: 'Import',
      handles: [HANDLES.storageRootKey],
      authorisations: [NO_PASSWORD],
      parameters: [sized(options.innerKey), options.publicArea, options.duplicate, options.secret, AES_128_CFB],
    });
    return sized(parameters.sized());
  }

  /** Loads a child of the SRK; gives its transient handle. */
  async load(privateArea: Buffer, publicArea: Buffer): Promise<Handle> {
    const { handle } = await this.#link.run({
      name: 'Load',
      handles: [HANDLES.storageRootKey],
      authorisations: [NO_PASSWORD],
      parameters: [privateArea, publicArea],
      returnsHandle: true,
    });
    return handle;
  }

  /** HMAC-SHA256 of at most 1024 bytes. */
  async hmac(key: Handle, data: Uint8Array): Promise<Buffer> {
    const { parameters } = await this.#link.run({
      name: 'HMAC',
      handles: [key],
      authorisations: [NO_PASSWORD],
      parameters: [sized(data), SHA_256],
    });
    return parameters.sized();
  }

  /** Starts an HMAC-SHA256 over several pieces; gives the handle of the sequence. */
  async hmacStart(key: Handle): Promise<Handle> {
    const { handle } = await this.#link.run({
      name: 'HMAC_Start',
      handles: [key],
      authorisations: [NO_PASSWORD],
      parameters: [NONE, SHA_256],
      returnsHandle: true,
    });
    return handle;
  }

  async sequenceUpdate(sequence: Handle, piece: Uint8Array): Promise<void> {
    await this.#link.run({
      name: 'SequenceUpdate',
      handles: [sequence],
      authorisations: [NO_PASSWORD],
      parameters: [sized(piece)],
    });
  }

  /** Ends a sequence with its last piece; the TPM unloads it. Gives the HMAC. */
  async sequenceComplete(sequence: Handle, piece: Uint8Array): Promise<Buffer> {
    const { parameters } = await this.#link.run({
      name: 'SequenceComplete',
      handles: [sequence],
      authorisations: [NO_PASSWORD],
      parameters: [sized(piece), u32(HANDLES.null)],
    });
    return parameters.sized();
  }
}
