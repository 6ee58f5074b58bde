/** What a provisioned device proves itself with; keys are named, never held. */
export type DeviceCredential =
  | { readonly kind: 'sas'; readonly keyId: string }
  | {
      readonly kind: 'x509';
      readonly keyPairId: string;
      readonly certId: string;
      /** PEM, leaf first. */
      readonly chain: string;
    }
  | { readonly kind: 'tpm' };

/** Where a device belongs: the three members of `device_info`. */
export interface DevicePlace {
  readonly hubName: string;
  /** Host that requests go to; the hub itself unless nested. */
  readonly gatewayHost: string;
  readonly deviceId: string;
}

/** A provisioned device. */
export interface Device extends DevicePlace {
  /** Digest of the provisioning settings that it came from. */
  readonly enrolment: string;
  readonly credential: DeviceCredential;
}

/** Whether two devices prove themselves with the same keys; certificates of one key pair id are the same credential. */
export function sameCredential({ credential: a }: Device, { credential: b }: Device): boolean {
  if (a.kind === 'sas') return b.kind === 'sas' && a.keyId === b.keyId;
  if (a.kind === 'x509') return b.kind === 'x509' && a.keyPairId === b.keyPairId && a.certId === b.certId;
  return b.kind === 'tpm';
}

/** Whether two descriptions mean the same device in the same hub through the same gateway. */
export function samePlace(a: DevicePlace, b: DevicePlace): boolean {
  return a.hubName === b.hubName && a.gatewayHost === b.gatewayHost && a.deviceId === b.deviceId;
}
