import { X509Certificate } from 'node:crypto';
import type { DaemonName } from './daemon-process.ts';
import type { Folders } from './folders.ts';
import type { KeyLocation } from './key-location.ts';
import type { Options } from './options.ts';
import type { UnixUser } from './unix-user.ts';
import type { Way } from './ways.ts';

/** Something of each daemon that runs. */
export type EachDaemon<T> = Readonly<Record<Exclude<DaemonName, 'tpmd'>, T> & Partial<Record<'tpmd', T>>>;

/** The certificate of the device, for a reader of the JSON document. Times are RFC 3339, certificates PEM. */
export interface CertificateSummary {
  readonly subject: string;
  readonly issuer: string;
  readonly notAfter: string;
  /** The leaf first, then its chain. */
  readonly pem: string;
  /** What the leaf is verified by. */
  readonly caPem: string;
}

/** A key of the device and where it is kept. */
export interface DeviceKey {
  readonly id: string;
  readonly use: string;
  readonly location: KeyLocation;
}

/** What the story came to: everything that the table and the JSON document tell. */
export interface Outcome {
  /** Whether the world stays up after the story. */
  readonly life: Options['life'];
  readonly way: Way;
  readonly hub: string;
  readonly deviceId: string;
  readonly certificate: CertificateSummary | undefined;
  readonly keys: readonly DeviceKey[];
  readonly keyLocation: KeyLocation['kind'];
  readonly modules: readonly { readonly moduleId: string; readonly genId: string }[];
  readonly host: { readonly moduleId: string; readonly sasAccepted: boolean | null };
  readonly hostUser: UnixUser;
  /** Whether the host process runs as another user than the daemons. */
  readonly hostIsOther: boolean;
  readonly sockets: EachDaemon<string>;
  readonly pid: EachDaemon<number>;
  /** Absent: the simulators are stopped. */
  readonly urls: { readonly est: string; readonly dps: string; readonly hub: string } | undefined;
  readonly scopeId: string;
  readonly rootCaPath: string;
  readonly folders: Folders;
  readonly timingsMs: Readonly<Record<string, number>>;
}

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/;

const oneLine = (name: string) => name.split('\n').join(', ');

/** Reads what people ask about a certificate. @throws Error when `pem` holds none */
export function summarise(pem: string, caPem: string): CertificateSummary {
  const [leaf] = BLOCK.exec(pem) ?? [];
  if (leaf === undefined) throw new Error('the stored certificate is not PEM');
  const { subject, issuer, validToDate } = new X509Certificate(leaf);
  return {
    subject: oneLine(subject),
    issuer: oneLine(issuer),
    notAfter: validToDate.toISOString().replace('.000Z', 'Z'),
    pem,
    caPem,
  };
}

/** The document of `--json`. */
export function jsonDocument(outcome: Outcome): Record<string, unknown> {
  const { hub, deviceId, way, certificate, keyLocation, modules, host, sockets, timingsMs, pid } = outcome;
  return {
    hub,
    deviceId,
    attestation: way.attestation,
    ...(certificate ? { certificate } : {}),
    keyLocation,
    modules,
    host,
    sockets,
    timingsMs,
    pid,
  };
}
