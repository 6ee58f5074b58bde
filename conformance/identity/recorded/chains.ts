/**
 * The chains that the recording falls into: each of its scenes begins with daemons of its own, so scenes rest on nothing of each other. A chain
 * holds scenes that take about as long together as those of another.
 */
const CHAINS: Readonly<Record<string, readonly string[]>> = {
  'by hand': ['manual-sas', 'manual-x509', 'manual-x509-issued', 'x509-certd-down'],
  'at start': [
    'source-none',
    'offline',
    'reconcile',
    'config-errors',
    'nested',
    'host-forms',
    'throttle',
    'master-key',
    'service-user',
  ],
  'by DPS': ['dps-symmetric', 'dps-group', 'dps-x509', 'dps-x509-issued', 'dps-tpm'],
  'DPS fails': ['dps-failures', 'dps-endless-assigning'],
  'in change': ['runtime', 'proxy', 'renewal', 'renewal-replaced', 'renewal-deadlock', 'extras', 'plain-http'],
};

/** The names of the chains, the longest first. */
export const CHAIN_NAMES: readonly string[] = Object.keys(CHAINS);

/** The scene of an exchange: what stands before the first slash of its id. */
export const sceneOf = (id: string): string => id.split('/')[0] ?? '';

/** @throws Error for a scene that no chain has */
export function chainOf(id: string): string {
  const chain = CHAIN_NAMES.find((name) => CHAINS[name]?.includes(sceneOf(id)));
  if (chain === undefined) throw new Error(`no chain has the scene ${sceneOf(id)}`);
  return chain;
}
