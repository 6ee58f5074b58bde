import { createTestPki, type TestPki } from '../common/index.ts';
import { createDpsSimulator, type DpsSimulator } from '../dps/index.ts';
import { createEstSimulator, type EstSimulator } from '../est/index.ts';
import { createHubSimulator, type HubSimulator } from '../hub/index.ts';

/** How the simulated cloud is named. Names resolve nowhere: a proxy, or the caller's resolver, leads to the ports. */
export interface CloudNames {
  readonly hub: string;
  readonly gateway: string;
  readonly dps: string;
  readonly scopeId: string;
  /** How many polls of an operation DPS answers `assigning`; absent: none. */
  readonly assigningPolls?: number;
}

/** Simulators of one cloud with one TEST public key infrastructure. */
export interface CloudParts {
  readonly names: CloudNames;
  readonly pki: TestPki;
  readonly dps: DpsSimulator;
  readonly hub: HubSimulator;
  readonly est: EstSimulator;
  close(): Promise<void>;
}

/** Starts EST (label `authority`: certificates of authorities), DPS and a hub with a gateway before it; DPS assigns at the first poll where not told otherwise, a second later. */
export async function openCloudParts(names: CloudNames): Promise<CloudParts> {
  const pki = await createTestPki({});
  const closers: (() => Promise<void>)[] = [];
  const close = async () => {
    await Promise.all(closers.map((one) => one()));
  };
  try {
    const hub = await createHubSimulator({
      pki,
      hostName: names.hub,
      gateway: { hostName: names.gateway, errors: 'edge' },
    });
    closers.push(() => hub.close());
    const dps = await createDpsSimulator({
      pki,
      hostName: names.dps,
      scopeId: names.scopeId,
      hubs: [hub.link],
      assigningPolls: names.assigningPolls ?? 0,
      retryAfterSeconds: 1,
    });
    closers.push(() => dps.close());
    const maker = await pki.ca('maker');
    const estCa = await pki.ca('est');
    const est = await createEstSimulator({
      pki,
      auth: { clientCas: [maker.certificatePem, estCa.certificatePem] },
      labels: { authority: { policy: { authority: { pathLength: 0 } } } },
    });
    closers.push(() => est.close());
    return { names, pki, dps, hub, est, close };
  } catch (error) {
    await close();
    throw error;
  }
}
