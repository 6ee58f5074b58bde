import type { CertdClient, KeydClient, KeyHandle } from '../clients/index.ts';
import type { CloudContext } from '../cloud/index.ts';
import type { ServiceApi } from '../ipc/index.ts';
import type { Clock, Logger } from '../process/index.ts';
import { openCreationJournal } from './creation-journal.ts';
import type { Device } from './device.ts';
import { createDeviceAuth } from './device-auth.ts';
import { createDeviceRenewal, type DeviceRenewal } from './device-renewal.ts';
import { autoRenewOf, createDeviceSource } from './device-source.ts';
import { createMemo } from './memo.ts';
import { createModuleCache } from './module-cache.ts';
import { createModuleKeyring } from './module-keys.ts';
import { createModules } from './modules.ts';
import { createProvisioner, type Provisioner } from './provisioner.ts';
import { reconcile } from './reconciliation.ts';
import { createApi } from './routes.ts';
import type { Settings } from './settings.ts';
import { openStateFiles } from './state-files.ts';
import type { TpmdClient } from './tpmd-client.ts';

/** What identityd is made of, apart from its socket and its files of configuration. */
export interface IdentityParts {
  readonly settings: () => Settings;
  readonly keyd: KeydClient;
  readonly certd: CertdClient;
  readonly tpmd: TpmdClient;
  readonly cloud: CloudContext;
  readonly clock: Clock;
  readonly log: Logger;
  /** In [0, 1). */
  readonly random: () => number;
}

/** When a device's certificate is renewed: never, unless it is an X.509 device of DPS with `identity_auto_renew`. */
function renewalTimes(renewal: DeviceRenewal) {
  const renewable = ({ credential }: Device, { provisioning }: Settings) => {
    const autoRenew = provisioning.source === 'dps' ? autoRenewOf(provisioning.attestation) : undefined;
    return credential.kind === 'x509' && autoRenew ? { credential, autoRenew } : undefined;
  };
  return {
    isRenewalDue(device: Device, settings: Settings): boolean {
      const found = renewable(device, settings);
      return found !== undefined && renewal.isDue(found.credential, found.autoRenew);
    },
    nextRenewal(device: Device, settings: Settings): number | undefined {
      const found = renewable(device, settings);
      return found && renewal.nextAt(found.credential, found.autoRenew);
    },
  };
}

/** The daemon without its socket. */
export interface Assembled {
  readonly api: ServiceApi;
  readonly provisioner: Provisioner;
  /** Ends provisioning and writes what is not written yet. */
  close(): Promise<void>;
}

/** How long a handle that keyd gave is given to further callers without asking again; a lost connection forgets all. */
const HANDLE_MS = 1000;

/** Puts the parts together; the home directory is made, nothing else happens yet. */
export async function assemble(parts: IdentityParts): Promise<Assembled> {
  const { settings, keyd, certd, tpmd, cloud, clock, log, random } = parts;
  const { homedir } = settings();
  const state = await openStateFiles(homedir, log).catch((cause) => {
    throw new Error(`could not create home directory ${homedir}`, { cause });
  });
  const renewal = createDeviceRenewal({ keyd, certd, log }, homedir, clock);
  const memo = createMemo<KeyHandle>(() => clock.now(), HANDLE_MS);
  keyd.onDisconnect?.(() => memo.clear());
  const source = createDeviceSource({ keyd, certd, tpmd, state, log, cloud, renewal, memo });
  const creations = await openCreationJournal(homedir, log);
  const cache = createModuleCache(homedir, log, clock);
  const modules = createModules({
    hubFor: source.hubFor,
    async refreshed(device) {
      const now = await source.refreshed(device);
      if (now) provisioner.adoptCredential(now);
      return now;
    },
    ...{ cache, creations, log },
    keyring: createModuleKeyring(keyd, memo),
  });
  const provisioner = createProvisioner({
    settings,
    knownDevice: source.knownDevice,
    newDevice: source.newDevice,
    renewedDevice: source.renewedDevice,
    ...renewalTimes(renewal),
    prepare: cache.prepare,
    prove: source.prove,
    reconcile: (device, wanted) => reconcile({ modules, state, log }, device, wanted),
    clock,
    log,
    random,
  });
  const deviceAuth = createDeviceAuth({ keyd, memo, clock, log });
  const report = () => ({ ...provisioner.report(), clockAheadSeconds: cloud.clockWatch?.wrongBy() });
  const api = createApi({
    ...{ settings, provisioner, source, deviceAuth, modules, certd, report },
    now: () => clock.now(),
  });
  return {
    api,
    provisioner,
    async close() {
      await provisioner.close();
      await creations.close();
    },
  };
}
