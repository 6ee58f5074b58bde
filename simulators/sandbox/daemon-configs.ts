import { join } from 'node:path';
import type { DaemonName } from './daemon-process.ts';
import type { Folders } from './folders.ts';
import type { SoftwareTpm } from './software-tpm.ts';
import { type Token, tokenUri } from './token.ts';
import { fileUri, type TomlTable, type TomlValue, unixUri } from './toml-values.ts';
import type { UnixUser } from './unix-user.ts';
import { type CloudFacts, DEVICE_ID, IDS, type Way } from './ways.ts';

/** The module identities of the device: that of the host process, and one of another application. */
export const MODULES = { host: 'agent', other: 'telemetry' } as const;

/** Files that come from outside the device: test PKI and what its maker put there. */
export interface Deliveries {
  readonly estServerCa: string;
  readonly bootstrapCertificate: string;
  readonly bootstrapKey: string;
}

export interface ConfigFacts {
  readonly way: Way;
  readonly folders: Folders;
  /** Absent: the file store. */
  readonly token: Token | undefined;
  /** Where the device has one. */
  readonly tpm: SoftwareTpm | undefined;
  readonly cloud: CloudFacts & { readonly estUrl: string };
  readonly deliveries: Deliveries;
  /** The Unix user of the daemons. */
  readonly daemonUid: number;
  readonly host: UnixUser;
}

/** The socket of a daemon. */
export function socketPath(folders: Folders, name: DaemonName): string {
  return join(folders.run, `${name}.sock`);
}

/** A development build of the reference wants every endpoint that a daemon knows, also that of a daemon that does not run here. */
function endpoints(folders: Folders, names: readonly DaemonName[]): TomlTable {
  return Object.fromEntries(names.map((name) => [`aziot_${name}`, unixUri(socketPath(folders, name))]));
}

/** keyd's preloaded keys: id to `file:` URL. */
export function preloadedKeys({ way, deliveries }: Pick<ConfigFacts, 'way' | 'deliveries'>): Record<string, string> {
  return way.issuer === 'est' ? { [IDS.estBootstrap]: fileUri(deliveries.bootstrapKey) } : {};
}

/** keyd's configuration (keys-service.md 2). */
export function keydConfig(facts: ConfigFacts): TomlTable {
  const { folders, token, way, daemonUid } = facts;
  const est = way.issuer === 'est' ? [IDS.estBootstrap, IDS.estIdentity, `${IDS.estIdentity}-temp`] : [];
  const localCa = way.issuer === 'local-ca' ? [IDS.localCa] : [];
  return {
    aziot_keys: {
      homedir_path: folders.keyd,
      ...(token ? { pkcs11_lib_path: token.module, pkcs11_base_slot: tokenUri(token) } : {}),
    },
    preloaded_keys: preloadedKeys(facts),
    endpoints: endpoints(folders, ['keyd']),
    principal: [{ uid: daemonUid, keys: [IDS.master, IDS.device, `${IDS.device}-temp`, ...est, ...localCa] }],
  };
}

function issuance({ way, cloud }: ConfigFacts): { cert_issuance: TomlTable; preloaded: readonly string[] } {
  if (way.issuer === 'est') {
    const est: Record<string, TomlValue> = {
      trusted_certs: [IDS.estServerCa],
      identity_cert: IDS.estIdentity,
      identity_pk: IDS.estIdentity,
      bootstrap_identity_cert: IDS.estBootstrap,
      bootstrap_identity_pk: IDS.estBootstrap,
      urls: { default: cloud.estUrl },
    };
    return { cert_issuance: { est, [IDS.device]: { method: 'est' } }, preloaded: [IDS.estServerCa, IDS.estBootstrap] };
  }
  if (way.issuer === 'local-ca') {
    const cert_issuance = {
      local_ca: { cert: IDS.localCa, pk: IDS.localCa },
      [IDS.localCa]: { method: 'self_signed', expiry_days: 3650 },
      [IDS.device]: { method: 'local_ca', expiry_days: 365 },
    };
    return { cert_issuance, preloaded: [] };
  }
  return { cert_issuance: {}, preloaded: [] };
}

/** certd's configuration (certificates-service.md 7). */
export function certdConfig(facts: ConfigFacts): TomlTable {
  const { folders, deliveries, daemonUid } = facts;
  const { cert_issuance, preloaded } = issuance(facts);
  const files: Record<string, string> = {
    [IDS.estServerCa]: deliveries.estServerCa,
    [IDS.estBootstrap]: deliveries.bootstrapCertificate,
  };
  return {
    homedir_path: folders.certd,
    cert_issuance,
    preloaded_certs: Object.fromEntries(preloaded.map((id) => [id, fileUri(files[id] ?? '')])),
    endpoints: endpoints(folders, ['certd', 'keyd']),
    principal: [{ uid: daemonUid, certs: [IDS.device, `${IDS.device}-temp`, IDS.localCa] }],
  };
}

/** tpmd's configuration (tpm-service.md 2). */
export function tpmdConfig({ folders, tpm }: ConfigFacts): TomlTable {
  return { ...(tpm ? { tcti: tpm.tcti } : {}), endpoints: endpoints(folders, ['tpmd']) };
}

/** The user of the other application: one that is neither the host process nor the daemons. */
function otherUid({ host, daemonUid }: Pick<ConfigFacts, 'host' | 'daemonUid'>): number {
  return [65533, 65532, 65531].find((uid) => uid !== host.uid && uid !== daemonUid) ?? 65530;
}

/** identityd's configuration (identity-service.md 3). */
export function identitydConfig(facts: ConfigFacts): TomlTable {
  const { folders, way, cloud, host } = facts;
  return {
    hostname: DEVICE_ID,
    homedir: folders.identityd,
    provisioning: way.provisioning(cloud),
    endpoints: endpoints(folders, ['identityd', 'keyd', 'certd', 'tpmd']),
    principal: [
      { uid: host.uid, name: MODULES.host, idtype: ['module'] },
      { uid: otherUid(facts), name: MODULES.other, idtype: ['module'] },
    ],
  };
}
