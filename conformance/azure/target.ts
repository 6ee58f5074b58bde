import type { Guard } from './guard.ts';

/** A symmetric key that a device signs with, base64, and the second of the pair where it has one. */
export interface DeviceKeys {
  readonly primaryKey: string;
  readonly secondaryKey?: string;
}

/** A PEM chain, leaf first, and the key of the leaf, as texts. */
export interface CertificatePair {
  readonly certPem: string;
  readonly keyPem: string;
}

/** A listener of a service under test. */
export interface Endpoint {
  /** The name of the service: in the certificate, in `Host`, and in tokens of a hub. */
  readonly hostName: string;
  /** Where it is reached, `127.0.0.1:8443` say; absent: `hostName`, port 443. */
  readonly address?: string;
  /** Anchors of its certificate, PEM; absent: those of Node. */
  readonly rootPem?: string;
  /** Counts and spaces what is sent, and keeps it from changing anything. */
  readonly guard?: Guard;
}

/** A provisioning service, and what is enrolled there. Members that are absent make the requirements that need them be skipped. */
export interface DpsTarget extends Endpoint {
  readonly scopeId: string;
  /** An individual enrolment by symmetric key; `deviceId` where it names the device otherwise. */
  readonly symmetric?: DeviceKeys & { readonly registrationId: string; readonly deviceId?: string };
  /** Another of the same kind. */
  readonly other?: DeviceKeys & { readonly registrationId: string };
  readonly disabled?: DeviceKeys & { readonly registrationId: string };
  /** A group by symmetric key, and a registration id that has no individual enrolment. */
  readonly group?: { readonly groupKey: string; readonly registrationId: string };
  /** A disabled individual enrolment whose id the key of `group` could vouch for. */
  readonly disabledBeforeGroup?: { readonly registrationId: string };
  /** An individual enrolment by certificate, common name = registration id. */
  readonly x509?: CertificatePair & { readonly registrationId: string };
  /** One of the same authority that has expired, and one with another common name. */
  readonly x509Expired?: CertificatePair;
  readonly x509OtherName?: CertificatePair;
  /** A group by certificate authority: the chain holds an intermediate below the authority that is enrolled. */
  readonly x509Group?: CertificatePair & { readonly registrationId: string };
  /** An individual enrolment of one certificate; `reissued`: another of the same authority and name. */
  readonly x509Leaf?: CertificatePair & { readonly registrationId: string; readonly reissued?: CertificatePair };
  /** An individual enrolment of a TPM: base64 of the TPM2B_PUBLIC of its keys, and an endorsement key of another TPM. */
  readonly tpm?: {
    readonly registrationId: string;
    readonly endorsementKey: string;
    readonly storageRootKey: string;
    readonly otherEndorsementKey?: string;
    /** The private halves, where that TPM is software. */
    readonly endorsementPrivatePem?: string;
    readonly storageRootPrivatePem?: string;
  };
}

/** A hub, and devices of it. */
export interface HubTarget extends Endpoint {
  /** A device whose modules the suite may make and remove where changes are allowed. */
  readonly device?: DeviceKeys & { readonly deviceId: string };
  readonly other?: DeviceKeys & { readonly deviceId: string };
  readonly disabled?: DeviceKeys & { readonly deviceId: string };
  /** An edge device: the hub made modules for it. */
  readonly edge?: DeviceKeys & { readonly deviceId: string };
  /** A device that proves itself by certificate. */
  readonly x509?: CertificatePair & { readonly deviceId: string };
  /** One of the same authority with another common name. */
  readonly x509OtherName?: CertificatePair;
  /** A device that is known by the thumbprint of its certificate; `reissued`: another of the same authority and name. */
  readonly thumbprint?: CertificatePair & { readonly deviceId: string; readonly reissued?: CertificatePair };
  /** A device that may be filled with modules up to the limit. */
  readonly crowded?: DeviceKeys & { readonly deviceId: string };
  /** A parent (an Edge hub) that serves the same registry under another name. */
  readonly gateway?: Endpoint;
}

/** What is judged. */
export interface CloudTarget {
  readonly dps?: DpsTarget;
  readonly hub?: HubTarget;
}
