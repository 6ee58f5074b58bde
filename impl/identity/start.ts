import { createCertdClient, createKeydClient } from '../clients/index.ts';
import { type CloudContext, createClockWatch } from '../cloud/index.ts';
import { type ConfigPaths, configPaths, type Endpoints, watchConfig } from '../config/index.ts';
import { loadTrust, proxyFrom, sendHttps } from '../https/index.ts';
import { serve } from '../ipc/index.ts';
import { causeChain, type DaemonContext, type StartDaemon } from '../process/index.ts';
import { assemble } from './assembly.ts';
import { loadSettings } from './load-settings.ts';
import type { Settings } from './settings.ts';
import { createTpmdClient } from './tpmd-client.ts';

const TRUST_AGE_MS = 5 * 60_000;

/** The trust store, read again now and then so that a root that is installed later counts. */
function freshTrust({ env, clock }: DaemonContext): CloudContext['trust'] {
  let loaded: { readonly trust: ReturnType<typeof loadTrust>; readonly at: number } | undefined;
  return () => {
    if (!loaded || clock.now() - loaded.at > TRUST_AGE_MS) loaded = { trust: loadTrust(env), at: clock.now() };
    return loaded.trust;
  };
}

function cloudContext(
  context: DaemonContext,
  settings: Settings,
  endpoints: Endpoints,
  signal: AbortSignal,
): CloudContext {
  const { env, log, clock } = context;
  const proxy = proxyFrom(env);
  if (proxy) log.info(`Detected HTTPS proxy server ${proxy.display}`);
  return {
    send: sendHttps,
    trust: freshTrust(context),
    proxy,
    clock,
    log: log.for('cloud'),
    random: Math.random,
    timeoutMs: settings.cloudTimeoutSec * 1000,
    retries: settings.cloudRetries,
    keydSocketPath: endpoints.keyd,
    signal,
    clockWatch: createClockWatch(clock, log),
  };
}

/** What is read at start only stays as it was, whatever the file says now (spec/identity-service.md 1). */
function applied(start: Settings, changed: Settings): Settings {
  const { homedir, preferModuleCache, maxRequests, cloudTimeoutSec, cloudRetries } = start;
  return { ...changed, homedir, preferModuleCache, maxRequests, cloudTimeoutSec, cloudRetries };
}

/** Settings that follow their files: all of a change or nothing of it. */
function followSettings(
  { log, clock }: DaemonContext,
  paths: ConfigPaths,
  apply: (changed: Settings) => void,
): { close(): void } {
  return watchConfig({
    ...paths,
    log,
    clock,
    onChange: async () => {
      try {
        const { settings, warnings } = await loadSettings(paths);
        for (const warning of warnings) log.warn(warning);
        apply(settings);
      } catch (error) {
        log.warn(`Detected config file update, but new config failed to parse. Error: ${causeChain(error).join(': ')}`);
      }
    },
  });
}

/**
 * Starts identityd: faults of the configuration reject, then the socket is open, then provisioning runs for as long as it takes
 * (spec/identity-service.md 7.2, stricter).
 */
export const startIdentityd: StartDaemon = async (context) => {
  const { env, log, clock } = context;
  const paths = configPaths('identityd', env);
  const { settings: first, endpoints, warnings } = await loadSettings(paths);
  for (const warning of warnings) log.warn(warning);
  let settings = first;

  const stopping = new AbortController();
  const keyd = createKeydClient({ socketPath: endpoints.keyd, retries: 1, clock });
  const certd = createCertdClient({ socketPath: endpoints.certd, retries: 1, clock });
  const tpmd = createTpmdClient(endpoints.tpmd);
  const cloud = cloudContext(context, settings, endpoints, stopping.signal);
  const parts = { settings: () => settings, keyd, certd, tpmd, cloud, clock, log, random: Math.random };
  const { api, provisioner, close } = await assemble(parts);
  const server = await serve({ api, socketPath: endpoints.identityd, maxRequests: settings.maxRequests, env, log });
  provisioner.start();
  const watch = followSettings(context, paths, (changed) => {
    settings = applied(first, changed);
    provisioner.reconcileSoon();
  });

  return {
    async close() {
      watch.close();
      stopping.abort(new Error('the service stops'));
      await Promise.all([keyd.close(), certd.close(), tpmd.close()]);
      await close();
      await server.close();
    },
  };
};
