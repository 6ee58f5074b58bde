/** The daemons that have a configuration. */
export type ServiceName = 'keyd' | 'certd' | 'identityd' | 'tpmd';

/** Where a daemon's configuration is read from. */
export interface ConfigPaths {
  readonly mainFile: string;
  /** Folder of drop-ins. */
  readonly directory: string;
}

/** `AZIOT_<NAME>_CONFIG` and `AZIOT_<NAME>_CONFIG_DIR`, else the places below `/etc/aziot` (spec/transport.md 9). */
export function configPaths(service: ServiceName, env: Readonly<Record<string, string | undefined>>): ConfigPaths {
  const variable = `AZIOT_${service.toUpperCase()}_CONFIG`;
  return {
    mainFile: env[variable] ?? `/etc/aziot/${service}/config.toml`,
    directory: env[`${variable}_DIR`] ?? `/etc/aziot/${service}/config.d`,
  };
}
