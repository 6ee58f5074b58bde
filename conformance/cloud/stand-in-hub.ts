import { credentialFault, type DeviceProof } from './stand-in-credentials.ts';
import { type CloudAnswer, type CloudRequest, headerOf, pathOf } from './stand-in-request.ts';

/** A module of the stand-in hub. */
export interface StandInModule {
  moduleId: string;
  managedBy: string | null;
  readonly deviceId: string;
  readonly generationId: string;
  /** Base64. */
  primaryKey: string;
  secondaryKey: string;
}

/** A device of the stand-in hub. */
export interface StandInDevice extends DeviceProof {
  readonly deviceId: string;
  disabled?: boolean;
  readonly modules: Map<string, StandInModule>;
}

const FIRST_GENERATION = 637_000_000_000_000_000n;
const ID = /^[A-Za-z0-9\-:.+%_#*?!(),=@$']{1,128}$/;
const keyOfHub = (byte: number) => Buffer.alloc(32, byte).toString('base64');

const refusal = (status: number, code: string, text: string): CloudAnswer => ({
  status,
  body: { Message: `ErrorCode:${code};${text}` },
});
const UNAUTHORIZED = refusal(401, 'IotHubUnauthorizedAccess', 'Unauthorized');

function textOf({ moduleId, managedBy, deviceId, generationId, primaryKey, secondaryKey }: StandInModule): object {
  const authentication = { symmetricKey: { primaryKey, secondaryKey }, type: 'sas' };
  return { moduleId, managedBy, deviceId, generationId, etag: 'ZTE=', connectionState: 'Disconnected', authentication };
}

/** The module registry of a hub, with generation ids counted as in the recordings. */
export class StandInHub {
  readonly devices = new Map<string, StandInDevice>();
  /** Names that tokens may be for, with a port where one is part of the name. */
  readonly names: readonly string[];
  #generation = FIRST_GENERATION;

  constructor(names: readonly string[]) {
    this.names = names;
  }

  clear(): void {
    this.devices.clear();
    this.#generation = FIRST_GENERATION;
  }

  putDevice(deviceId: string, proof: DeviceProof): StandInDevice {
    const device = { deviceId, ...proof, modules: this.devices.get(deviceId)?.modules ?? new Map() };
    this.devices.set(deviceId, device);
    return device;
  }

  putModule(deviceId: string, moduleId: string): StandInModule {
    const device = this.device(deviceId);
    this.#generation += 1n;
    const module = {
      moduleId,
      deviceId,
      managedBy: null,
      generationId: String(this.#generation),
      primaryKey: keyOfHub(10),
      secondaryKey: keyOfHub(11),
    };
    device.modules.set(moduleId, module);
    return module;
  }

  device(deviceId: string): StandInDevice {
    const device = this.devices.get(deviceId);
    if (!device) throw new Error(`the stand-in hub has no device ${deviceId}`);
    return device;
  }

  module(deviceId: string, moduleId: string): StandInModule {
    const module = this.device(deviceId).modules.get(moduleId);
    if (!module) throw new Error(`the stand-in hub has no module ${moduleId} on ${deviceId}`);
    return module;
  }

  answer(request: CloudRequest): CloudAnswer {
    const [, rawDevice, rawModule] = /^\/devices\/([^/]+)\/modules(?:\/([^/]+))?$/.exec(pathOf(request)) ?? [];
    if (rawDevice === undefined) return refusal(404, 'NotFound', 'no such resource');
    const device = this.devices.get(decodeURIComponent(rawDevice));
    if (!device) return UNAUTHORIZED;
    const resources = this.names.map((name) => `${name}/devices/${device.deviceId}`);
    if (credentialFault(request, device, resources, undefined) !== undefined) return UNAUTHORIZED;
    if (device.disabled) return refusal(403, 'DeviceDisabled', 'Device is disabled');
    if (rawModule === undefined) return { status: 200, body: [...device.modules.values()].map(textOf) };
    return this.#ofModule(request, device, decodeURIComponent(rawModule));
  }

  #ofModule(request: CloudRequest, device: StandInDevice, moduleId: string): CloudAnswer {
    const { deviceId, modules } = device;
    const known = modules.get(moduleId);
    const missing = refusal(404, 'ModuleNotFound', `Module '${moduleId}' on device '${deviceId}' not found`);
    if (request.method === 'GET') return known ? { status: 200, body: textOf(known) } : missing;
    const replaces = headerOf(request, 'if-match') === '*';
    if (request.method === 'DELETE') return replaces && modules.delete(moduleId) ? { status: 204 } : missing;
    const body = JSON.parse(request.body) as {
      moduleId?: string;
      deviceId?: string;
      authentication?: { symmetricKey: { primaryKey: string; secondaryKey: string } };
    };
    const fits = body.moduleId === moduleId && body.deviceId === deviceId && ID.test(moduleId);
    if (!fits) return refusal(400, 'ArgumentInvalid', 'moduleId or deviceId');
    if (replaces) {
      if (!known) return missing;
      Object.assign(known, body.authentication?.symmetricKey, { managedBy: null });
      return { status: 200, body: textOf(known) };
    }
    const text = `A module with ID '${moduleId}' on device '${deviceId}' is already registered`;
    if (known) return refusal(409, 'ModuleAlreadyExistsOnDevice', text);
    return { status: 200, body: textOf(this.putModule(deviceId, moduleId)) };
  }
}
