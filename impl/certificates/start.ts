import { createKeydClient } from '../clients/index.ts';
import { ConfigError, configPaths, watchConfig } from '../config/index.ts';
import { createEstClient } from '../est/index.ts';
import { type WriteDurable, writeFileDurable } from '../files/index.ts';
import { loadTrust, proxyFrom, sendHttps } from '../https/index.ts';
import { serve } from '../ipc/index.ts';
import { causeChain, createCounters, type DaemonContext, type RunningDaemon } from '../process/index.ts';
import { parseChain } from '../x509/index.ts';
import { certdApi } from './routes.ts';
import { CertificateService, type ServiceState } from './service.ts';
import { type LoadedSettings, loadSettings } from './settings-read.ts';
import { CertificateStore } from './store.ts';

function report({ warnings, errors }: LoadedSettings, { log }: DaemonContext): void {
  for (const warning of warnings) log.warn(warning);
  for (const error of errors) log.error(error);
}

/** Reads the trust anchors of EST. Throws ConfigError when one cannot be had: trusting less than configured is no choice of ours. */
async function readTrusted(ids: readonly string[], store: CertificateStore, { log }: DaemonContext): Promise<string[]> {
  const texts: string[] = [];
  for (const id of ids) {
    try {
      const pem = await store.read(id);
      if (pem === undefined) throw new ConfigError('it is not there');
      if (parseChain(pem).length === 0) log.warn(`trusted certificate "${id}" holds no PEM certificate`);
      texts.push(pem);
    } catch (cause) {
      throw new ConfigError(`trusted certificate "${id}" of cert_issuance.est cannot be read; check trusted_certs`, {
        cause,
      });
    }
  }
  return texts;
}

/**
 * Builds everything that a configuration stands for, before any of it is put in force. `homedir` stays what it was at start. On a reload a
 * trusted certificate that cannot be read leaves the trust anchors as they are; the rest of the configuration counts.
 */
async function buildState(context: DaemonContext, write: WriteDurable, before?: ServiceState): Promise<ServiceState> {
  const loaded = await loadSettings(configPaths('certd', context.env));
  report(loaded, context);
  const { settings } = loaded;
  const homedir = before?.settings.homedir ?? settings.homedir;
  const store = new CertificateStore(homedir, settings.preloaded, { write, ...(before && { before: before.store }) });
  const trust = readTrusted(settings.est.trustedCerts, store, context).then((texts) => loadTrust(context.env, texts));
  const orAsBefore = (error: unknown) => {
    if (!before) throw error;
    context.log.warn(`keeping the trust anchors of EST as they are: ${causeChain(error).join(': ')}`);
    return before.trust;
  };
  return {
    settings: { ...settings, homedir },
    store,
    trust: await trust.catch(orAsBefore),
    proxy: proxyFrom(context.env),
  };
}

/**
 * Starts certd: configuration, trust anchors, socket, watch. EST and keyd need not be up. Rejects when the configuration cannot be used or
 * the socket cannot be had.
 *
 * @param write how certificates are written.
 */
export const startCertd = async (
  context: DaemonContext,
  write: WriteDurable = writeFileDurable,
): Promise<RunningDaemon> => {
  const { env, log, clock } = context;
  const state = await buildState(context, write);
  const { endpoints, maxRequests } = state.settings;
  const keyd = createKeydClient({ socketPath: endpoints.keyd, retries: 0, clock });
  const random = Math.random;
  const est = createEstClient({ send: sendHttps, clock, log: log.for('est'), keydSocketPath: endpoints.keyd, random });
  await state.store.removeLeftOvers();
  const service = new CertificateService(state, { keyd, est, clock, log, random, counters: createCounters() });
  const server = await serve({ api: certdApi(service), socketPath: endpoints.certd, maxRequests, env, log });
  service.start();
  const watch = watchConfig({
    ...configPaths('certd', env),
    log,
    clock,
    onChange: async () => {
      try {
        service.replace(await buildState(context, write, service.state));
        log.info('configuration reloaded');
      } catch (error) {
        log.warn(`keeping the old configuration: ${causeChain(error).join(': ')}`);
      }
    },
  });
  return {
    async close() {
      watch.close();
      await service.close();
      await server.close();
      service.state.store.files.close();
      await keyd.close();
    },
  };
};
