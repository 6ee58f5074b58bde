import { type ConfigPaths, describeKey, type Endpoints, endpointsFrom, loadConfig } from '../config/index.ts';
import type { Settings } from './settings.ts';
import { checkSettings, settingsWarnings } from './settings-check.ts';
import { readSettings } from './settings-read.ts';
import { SETTINGS } from './settings-schema.ts';

/** Settings that passed every check, with what is to be said about them. */
export interface LoadedSettings {
  readonly settings: Settings;
  readonly endpoints: Endpoints;
  readonly warnings: readonly string[];
}

/** Reads identityd's configuration with all its checks. Throws ConfigError or SettingsError; nothing is half applied. */
export async function loadSettings(paths: ConfigPaths): Promise<LoadedSettings> {
  const loaded = await loadConfig({ ...paths, schema: SETTINGS });
  const settings = readSettings(loaded.value, (path) => describeKey(loaded.sources, path));
  checkSettings(settings);
  const warnings = [...loaded.warnings, ...settingsWarnings(settings)];
  const endpoints = endpointsFrom(loaded.value.endpoints, (message) => warnings.push(message));
  return { settings, endpoints, warnings };
}
