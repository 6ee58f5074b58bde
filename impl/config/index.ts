export { ConfigError } from './config-error.ts';
export { ENDPOINTS, type Endpoints, endpointsFrom } from './endpoints.ts';
export { describeKey, type LoadedConfig, loadConfig } from './load.ts';
export { DEFAULT_MAX_REQUESTS, MAX_REQUESTS, UID } from './max-requests.ts';
export { type ConfigPaths, configPaths } from './paths.ts';
export { isTable, type TomlTable, type TomlValue } from './table.ts';
export { nearest } from './unknown-keys.ts';
export { type ConfigWatch, watchConfig } from './watch.ts';
