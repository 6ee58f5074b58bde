import { randomBytes } from 'node:crypto';
import type { StateStore } from '../common/index.ts';
import {
  type Authentication,
  type AuthenticationInput,
  certificate,
  completeAuthentication,
} from './authentication.ts';
import { HubError } from './errors.ts';
import { type IdRule, isAllowedId, MODULE_LIMIT, SYSTEM_MODULES } from './ids.ts';
import { type IfMatch, matchesEtag } from './preconditions.ts';

export type DeviceStatus = 'enabled' | 'disabled';

/** A device as the hub holds it. `generationId` is a decimal string that grows, `etag` base64. */
export interface DeviceIdentity {
  readonly deviceId: string;
  readonly status: DeviceStatus;
  readonly authentication: Authentication;
  readonly edge: boolean;
  readonly generationId: string;
  readonly etag: string;
}

/** A module as the hub holds it. */
export interface ModuleIdentity {
  readonly deviceId: string;
  readonly moduleId: string;
  readonly managedBy: string | null;
  readonly authentication: Authentication;
  readonly generationId: string;
  readonly etag: string;
}

/** A device as a test or DPS registers it; what is left out is kept, or made on creation. */
export interface DeviceInput {
  deviceId: string;
  status?: DeviceStatus;
  authentication?: AuthenticationInput;
  edge?: boolean;
}

/** A module as a caller writes it. */
export interface ModuleInput {
  managedBy?: string | null;
  authentication?: AuthenticationInput;
}

export interface RegistryOptions {
  store: StateStore;
  /** Milliseconds since 1970. */
  now: () => number;
  idRule?: IdRule;
  /** `size` fresh random bytes. */
  random?: (size: number) => Uint8Array;
}

const DEVICES = 'devices';
const MODULES = 'modules';
const COUNTERS = 'counters';
const CAS = 'authorities';
const LAST = 'last';

interface Counters {
  generation: string;
  revision: number;
}

const MILLISECONDS_TO_1970 = 62_135_596_800_000n;
const TICKS_A_MILLISECOND = 10_000n;

/** The identity registry of one hub: devices, their modules, and the certificate authorities that the hub knows. */
export class IdentityRegistry {
  readonly #store: StateStore;
  readonly #now: () => number;
  readonly #idRule: IdRule;
  readonly #random: (size: number) => Uint8Array;
  readonly #devices = new Map<string, DeviceIdentity>();
  readonly #modules = new Map<string, Map<string, ModuleIdentity>>();
  readonly #authorities = new Set<string>();
  #lastGeneration = 0n;
  #lastRevision = 0;

  constructor({ store, now, idRule = 'azure', random = randomBytes }: RegistryOptions) {
    this.#store = store;
    this.#now = now;
    this.#idRule = idRule;
    this.#random = random;
    for (const { value } of store.list<DeviceIdentity>(DEVICES)) this.#devices.set(value.deviceId, value);
    for (const { value } of store.list<ModuleIdentity>(MODULES))
      this.#modulesOf(value.deviceId).set(value.moduleId, value);
    for (const { value } of store.list<string>(CAS)) this.#authorities.add(value);
    const counters = store.get<Counters>(COUNTERS, LAST);
    if (counters) {
      this.#lastGeneration = BigInt(counters.generation);
      this.#lastRevision = counters.revision;
    }
  }

  /**
   * Creates a device, or changes it and keeps its generation id and modules. An edge device gets its system modules.
   *
   * @throws TypeError when the id is outside the alphabet; InvalidAuthentication when a key or thumbprint is malformed.
   */
  upsertDevice(input: DeviceInput): DeviceIdentity {
    if (!isAllowedId(input.deviceId, this.#idRule)) {
      throw new TypeError(
        `device id ${JSON.stringify(input.deviceId)} has characters that a hub refuses, or is longer than 128`,
      );
    }
    const current = this.#devices.get(input.deviceId);
    const device: DeviceIdentity = {
      deviceId: input.deviceId,
      status: input.status ?? current?.status ?? 'enabled',
      authentication: completeAuthentication(input.authentication, current?.authentication, this.#makeKey),
      edge: input.edge ?? current?.edge ?? false,
      generationId: current?.generationId ?? this.#nextGeneration(),
      etag: this.#nextEtag(),
    };
    const missing = device.edge ? SYSTEM_MODULES.filter((id) => !this.getModule(device.deviceId, id)) : [];
    const modules = missing.map((moduleId) => this.#newModule(device.deviceId, moduleId, {}));
    this.#storeCounters();
    this.#store.put(DEVICES, device.deviceId, device);
    this.#devices.set(device.deviceId, device);
    for (const module of modules) this.#saved(module);
    return device;
  }

  getDevice(deviceId: string): DeviceIdentity | undefined {
    return this.#devices.get(deviceId);
  }

  listDevices(): DeviceIdentity[] {
    return [...this.#devices.values()];
  }

  /** Removes a device and its modules; answers whether it was there. */
  removeDevice(deviceId: string): boolean {
    if (!this.#devices.has(deviceId)) return false;
    // modules first: a kill in between must not leave modules for a later device of the same name
    for (const module of this.listModules(deviceId)) this.#store.delete(MODULES, moduleKey(module));
    this.#store.delete(DEVICES, deviceId);
    this.#modules.delete(deviceId);
    return this.#devices.delete(deviceId);
  }

  listModules(deviceId: string): ModuleIdentity[] {
    return [...(this.#modules.get(deviceId)?.values() ?? [])];
  }

  getModule(deviceId: string, moduleId: string): ModuleIdentity | undefined {
    return this.#modules.get(deviceId)?.get(moduleId);
  }

  /**
   * Makes a module with keys of the hub's own where `input` brings none (spec cloud.md 10.5, 10.6, 10.8).
   *
   * @throws HubError argumentInvalid (id), deviceNotFound, moduleExists, tooManyModules; InvalidAuthentication.
   */
  createModule(deviceId: string, moduleId: string, input: ModuleInput = {}): ModuleIdentity {
    if (!isAllowedId(moduleId, 'azure')) throw new HubError('argumentInvalid', 'moduleId or deviceId');
    if (!this.#devices.has(deviceId)) throw deviceNotFound(deviceId);
    if (this.getModule(deviceId, moduleId)) {
      throw new HubError(
        'moduleExists',
        `A module with ID '${moduleId}' on device '${deviceId}' is already registered`,
      );
    }
    if (this.#modulesOf(deviceId).size >= MODULE_LIMIT) {
      throw new HubError('tooManyModules', `Device '${deviceId}' already has ${MODULE_LIMIT} modules`);
    }
    return this.#saved(this.#newModule(deviceId, moduleId, input));
  }

  /**
   * Changes a module and keeps its generation id (spec cloud.md 10.5).
   *
   * @throws HubError moduleNotFound, preconditionFailed; InvalidAuthentication.
   */
  updateModule(deviceId: string, moduleId: string, ifMatch: IfMatch, input: ModuleInput): ModuleIdentity {
    const current = this.#matching(deviceId, moduleId, ifMatch);
    return this.#saved({
      ...current,
      managedBy: input.managedBy === undefined ? current.managedBy : input.managedBy,
      authentication: completeAuthentication(input.authentication, current.authentication, this.#makeKey),
      etag: this.#nextEtag(),
    });
  }

  /** Removes a module. @throws HubError moduleNotFound, preconditionFailed (spec cloud.md 10.7). */
  removeModule(deviceId: string, moduleId: string, ifMatch: IfMatch): void {
    const current = this.#matching(deviceId, moduleId, ifMatch);
    this.#store.delete(MODULES, moduleKey(current));
    this.#modulesOf(deviceId).delete(moduleId);
  }

  /** Lets the hub know a certificate authority beyond those that single devices name. PEM. @throws InvalidAuthentication */
  trustAuthority(pem: string): void {
    this.#authorities.add(certificate(pem));
    this.#store.put(CAS, pem, pem);
  }

  listAuthorities(): string[] {
    return [...this.#authorities];
  }

  #matching(deviceId: string, moduleId: string, ifMatch: IfMatch): ModuleIdentity {
    if (ifMatch.kind === 'absent') throw new HubError('preconditionFailed', 'If-Match is missing');
    const current = this.getModule(deviceId, moduleId);
    if (!current) throw moduleNotFound(deviceId, moduleId);
    if (!matchesEtag(ifMatch, current.etag)) {
      throw new HubError('preconditionFailed', `Module '${moduleId}' on device '${deviceId}' has another ETag`);
    }
    return current;
  }

  #newModule(deviceId: string, moduleId: string, input: ModuleInput): ModuleIdentity {
    return {
      deviceId,
      moduleId,
      managedBy: input.managedBy ?? null,
      authentication: completeAuthentication(input.authentication, undefined, this.#makeKey),
      generationId: this.#nextGeneration(),
      etag: this.#nextEtag(),
    };
  }

  #saved(module: ModuleIdentity): ModuleIdentity {
    this.#storeCounters();
    this.#store.put(MODULES, moduleKey(module), module);
    this.#modulesOf(module.deviceId).set(module.moduleId, module);
    return module;
  }

  /** Before the identities that use them, so that no number is given twice after a kill. */
  #storeCounters(): void {
    const counters: Counters = { generation: String(this.#lastGeneration), revision: this.#lastRevision };
    this.#store.put(COUNTERS, LAST, counters);
  }

  #modulesOf(deviceId: string): Map<string, ModuleIdentity> {
    let modules = this.#modules.get(deviceId);
    if (!modules) {
      modules = new Map();
      this.#modules.set(deviceId, modules);
    }
    return modules;
  }

  readonly #makeKey = (): string => Buffer.from(this.#random(32)).toString('base64');

  /** Ticks of the clock as the service uses, or one more than the last where the clock has not moved on. */
  #nextGeneration(): string {
    const ticks = (BigInt(Math.trunc(this.#now())) + MILLISECONDS_TO_1970) * TICKS_A_MILLISECOND;
    this.#lastGeneration = ticks > this.#lastGeneration ? ticks : this.#lastGeneration + 1n;
    return String(this.#lastGeneration);
  }

  #nextEtag(): string {
    this.#lastRevision += 1;
    return Buffer.from(`e${this.#lastRevision}`).toString('base64');
  }
}

/** The refusal for a device that the hub does not hold. */
export function deviceNotFound(deviceId: string): HubError {
  return new HubError('deviceNotFound', `Device '${deviceId}' not found`);
}

/** The refusal for a module that the device does not have. */
export function moduleNotFound(deviceId: string, moduleId: string): HubError {
  return new HubError('moduleNotFound', `Module '${moduleId}' on device '${deviceId}' not found`);
}

function moduleKey({ deviceId, moduleId }: ModuleIdentity): string {
  return JSON.stringify([deviceId, moduleId]);
}
