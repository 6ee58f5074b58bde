import type { CloudFacts, Secrets, Way } from './ways.ts';

/** A key pair and certificate that the device gets from its maker. PEM. */
export interface Credential {
  readonly certificatePem: string;
  readonly keyPem: string;
}

/** What a TPM is known by: base64 of TPM2B_PUBLIC each. */
export interface TpmKeys {
  readonly endorsementKey: string;
  readonly storageRootKey: string;
}

export interface EnrolmentFacts {
  readonly way: Way;
  readonly deviceId: string;
  readonly secrets: Secrets;
  /** The certificate of the device's own CA, where it has one. PEM. */
  readonly localCaPem: string | undefined;
  /** The public keys of the device's TPM, where it has one: base64. */
  readonly tpmKeys: TpmKeys | undefined;
}

/** The TCP ports of the simulators. */
export interface CloudPorts {
  readonly est: number;
  readonly dps: number;
  readonly hub: number;
}

/** The simulated cloud: EST, DPS and a hub, as the sandbox uses them. */
export interface Cloud extends CloudFacts {
  /** The root of every server's certificate. PEM. */
  readonly rootPem: string;
  /** What a certificate issued at EST is verified by. PEM. */
  readonly estCaPem: string;
  readonly estUrl: string;
  readonly hubUrl: string;
  readonly ports: CloudPorts;
  /** A fresh certificate of the device's maker, which EST takes for the first enrolment. */
  issueBootstrap(deviceId: string): Promise<Credential>;
  /** Makes DPS or the hub know the device. */
  enrol(facts: EnrolmentFacts): void;
  close(): Promise<void>;
}

export interface CloudRequest {
  /** Where test PKI and simulators keep their state. */
  readonly folder: string;
  /** The ports of an earlier start; absent: any free ones. */
  readonly ports: CloudPorts | undefined;
}
