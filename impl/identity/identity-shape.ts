import type { HubModule } from '../cloud/index.ts';
import type { Device } from './device.ts';

/** How an identity signs; the members that are there depend on the type. */
export type IdentityAuth =
  | { readonly type: 'sas'; readonly keyHandle: string }
  | { readonly type: 'x509'; readonly keyHandle: string; readonly certId: string }
  | { readonly type: 'tpm' };

/** An identity in the hub, as callers get it (spec/identity-service.md 4.2). */
export interface AziotIdentity {
  readonly type: 'aziot';
  readonly spec: {
    readonly hubName: string;
    readonly gatewayHost: string;
    readonly deviceId: string;
    readonly moduleId?: string;
    readonly genId?: string | undefined;
    readonly auth?: IdentityAuth | undefined;
  };
}

/** The device's own identity. */
export function deviceIdentity({ hubName, gatewayHost, deviceId }: Device, auth: IdentityAuth): AziotIdentity {
  return { type: 'aziot', spec: { hubName, gatewayHost, deviceId, auth } };
}

/** The identity of a module; lists leave `auth` out. */
export function moduleIdentity(device: Device, module: HubModule, auth: IdentityAuth | undefined): AziotIdentity {
  const { hubName, gatewayHost } = device;
  const { deviceId, moduleId, generationId: genId } = module;
  return { type: 'aziot', spec: { hubName, gatewayHost, deviceId, moduleId, genId, auth } };
}
