import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { configPaths, endpointsFrom, loadConfig, watchConfig } from '../config/index.ts';
import { removeUnfinishedWrites, removeUnfinishedWritesBeside } from '../files/index.ts';
import { serve } from '../ipc/index.ts';
import type { DaemonContext, Logger, RunningDaemon } from '../process/index.ts';
import { keydApi } from './api.ts';
import { Counters } from './counters.ts';
import { FileCache } from './file-cache.ts';
import { Handles } from './handles.ts';
import { emptyFileText, KeyCensus } from './key-census.ts';
import { HANDLE_VALIDATION_KEY } from './key-id.ts';
import { KeyIndex } from './key-index.ts';
import { KeyListing } from './key-listing.ts';
import { KeyLocks } from './key-locks.ts';
import { KeyPairs } from './key-pairs.ts';
import { KeyPlaces, keysFolderOf } from './key-places.ts';
import { KeyService } from './key-service.ts';
import { withNewPins } from './new-pins.ts';
import { Principals } from './principals.ts';
import { KEYD_SCHEMA, type KeydSettings, readSettings } from './settings.ts';
import { SymmetricKeys } from './symmetric-keys.ts';
import { TokenHost } from './token/index.ts';

/** Beside the folder of key files; the reference does not look at it. */
const INDEX_FILE = 'key-ids.jsonl';

/** Names key files without content; they are kept. The census does the same where files are many. */
async function reportEmptyFiles(folder: string, log: Logger): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter((each) => each.endsWith('.key'))) {
    const stats = await stat(join(folder, name)).catch(() => undefined);
    if (stats?.size === 0) log.warn(emptyFileText(join(folder, name)));
  }
}

/** Removes the temp files that a killed keyd left: in its folder, and beside an operator's file that it was writing. They were never read. */
async function removeLeftOvers({ homeFolder, preloaded }: KeydSettings): Promise<void> {
  if (homeFolder !== undefined) await removeUnfinishedWrites(keysFolderOf(homeFolder));
  await removeUnfinishedWritesBeside(
    [...preloaded.values()].flatMap((place) => (place.kind === 'file' ? [place.path] : [])),
  );
}

/** With a module and a base slot both configured, the token must be there at start; a login is not tried yet (spec/keys-service.md 2.3). */
async function startTokenHost(
  settings: KeydSettings,
  { env, log }: DaemonContext,
  counters: Counters,
): Promise<TokenHost | undefined> {
  if (settings.modulePath === undefined) {
    if (settings.baseSlot) log.warn('aziot_keys.pkcs11_base_slot has no effect without pkcs11_lib_path');
    return undefined;
  }
  const host = new TokenHost({
    modulePath: settings.modulePath,
    log: log.for('token'),
    env,
    counters,
    deadlineMs: settings.deadlineMs,
  });
  if (settings.baseSlot) {
    try {
      await host.run(settings.baseSlot, { task: 'open' });
    } catch (error) {
      await host.close();
      throw error;
    }
  }
  return host;
}

/** Starts keyd: reads its configuration, reaches for the token, serves. Rejects with the cause when it cannot (exit 1). */
export async function startKeyd(context: DaemonContext): Promise<RunningDaemon> {
  const { env, log, clock } = context;
  const paths = configPaths('keyd', env);
  const { value, warnings } = await loadConfig({ ...paths, schema: KEYD_SCHEMA });
  for (const warning of warnings) log.warn(warning);
  let settings = readSettings(value);
  const endpoints = endpointsFrom(value.endpoints, (message) => log.warn(message));
  await removeLeftOvers(settings);

  const now = () => clock.now();
  const counters = new Counters();
  const host = await startTokenHost(settings, context, counters);
  const keysFolder = settings.homeFolder === undefined ? undefined : keysFolderOf(settings.homeFolder);
  const census = keysFolder === undefined ? undefined : new KeyCensus(keysFolder, log);
  const cache = new FileCache(now, census);
  const places = new KeyPlaces(settings, { cache, now, log, host });
  if (!places.hasPlace(HANDLE_VALIDATION_KEY)) {
    log.warn('aziot_keys.homedir_path is not set: no key can be made, and handles end when keyd stops');
  }
  const locks = new KeyLocks();
  const keys = new SymmetricKeys(places, locks, log, { choice: settings.fallback, counters });
  let principals = new Principals(settings.principals);
  for (const warning of principals.warnings) log.warn(warning);
  const index = new KeyIndex(settings.homeFolder && join(settings.homeFolder, INDEX_FILE), { clock, log });
  const service = new KeyService({
    handles: new Handles(places, keys),
    keys,
    pairs: new KeyPairs(places, locks),
    principals: () => principals,
    index,
  });
  const list = new KeyListing({
    settings: () => settings,
    principals: () => principals,
    index,
    cache,
    host,
    counters,
    clock,
    log,
  });

  const watch = watchConfig({
    ...paths,
    log,
    clock,
    async onChange() {
      const changed = await loadConfig({ ...paths, schema: KEYD_SCHEMA });
      principals = new Principals(changed.value.principal ?? []);
      for (const warning of principals.warnings) log.warn(warning);
      const withPins = withNewPins(settings, changed.value);
      if (withPins) {
        settings = withPins;
        places.useSettings(settings);
        host?.forgetRefusedPins();
      }
      log.info(`the principals${withPins ? ' and the PINs' : ''} were read again; other settings need a restart`);
    },
  });
  try {
    const server = await serve({
      api: keydApi(service, list),
      socketPath: endpoints.keyd,
      maxRequests: settings.maxRequests,
      env,
      log,
    });
    void keys.lookAhead(HANDLE_VALIDATION_KEY);
    void census
      ?.begin()
      .then((many) => (many || keysFolder === undefined ? undefined : reportEmptyFiles(keysFolder, log)));
    return {
      async close() {
        watch.close();
        await server.close();
        await index.close();
        await host?.close();
        cache.close();
      },
    };
  } catch (error) {
    watch.close();
    await index.close();
    await host?.close();
    throw error;
  }
}
