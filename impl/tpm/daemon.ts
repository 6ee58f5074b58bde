import { randomBytes } from 'node:crypto';
import { configPaths, endpointsFrom, loadConfig } from '../config/index.ts';
import { serve } from '../ipc/index.ts';
import type { DaemonContext, RunningDaemon } from '../process/index.ts';
import { tpmdApi } from './api.ts';
import { openTcti } from './open-tcti.ts';
import { TpmService } from './service.ts';
import { readSettings, TPMD_SCHEMA } from './settings.ts';

/**
 * Starts tpmd: reads its configuration (once: a change needs a restart), prepares the TPM, then serves. Rejects with the cause when it
 * cannot (exit 1); the socket is not bound then.
 */
export async function startTpmd({ env, log, clock }: DaemonContext): Promise<RunningDaemon> {
  const { value, warnings } = await loadConfig({ ...configPaths('tpmd', env), schema: TPMD_SCHEMA });
  for (const warning of warnings) log.warn(warning);
  const settings = readSettings(value);
  const endpoints = endpointsFrom(value.endpoints, (message) => log.warn(message));
  const tpm = new TpmService(settings, { open: openTcti, clock, log, random: randomBytes });
  await tpm.initialize();
  try {
    const { maxRequests } = settings;
    const server = await serve({ api: tpmdApi(tpm), socketPath: endpoints.tpmd, maxRequests, env, log });
    return {
      async close() {
        await server.close();
        await tpm.close();
      },
    };
  } catch (error) {
    await tpm.close();
    throw error;
  }
}
