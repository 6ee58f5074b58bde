/** The credential that a device shall have in its hub; keys base64, thumbprints hex of SHA-256, certificates PEM. */
export type HubAuthentication =
  | { type: 'sas'; primaryKey: string; secondaryKey: string }
  | { type: 'selfSigned'; primaryThumbprint: string; secondaryThumbprint: string | null }
  | { type: 'certificateAuthority'; caPem: string[] };

/** A device as provisioning makes it in a hub. */
export interface HubAssignment {
  deviceId: string;
  authentication: HubAuthentication;
  edge: boolean;
}

/** A hub that provisioning may assign devices to. */
export interface HubLink {
  /** As devices will name it, with its port where that is not 443. */
  hostName: string;
  /** Makes the device, or gives an existing one this credential and keeps the rest of it. */
  assign(assignment: HubAssignment): Promise<void>;
  /** Removes the device; one that is not there is no error. */
  remove(deviceId: string): Promise<void>;
}
