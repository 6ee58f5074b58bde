import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readEnvironment, readTarget } from './described.ts';
import { Guard } from './guard.ts';
import { type Simulated, startSimulated } from './simulated.ts';
import type { CloudTarget } from './target.ts';

let found: Promise<CloudTarget> | undefined;
let simulated: Promise<Simulated> | undefined;

/**
 * What is judged: with driver `azure` what the variables describe; with `AZIOT_CONFORMANCE_TARGET` (a JSON file) what that describes; else
 * a simulated cloud that is started for it.
 */
export function cloudTarget(): Promise<CloudTarget> {
  found ??= findTarget(process.env);
  return found;
}

/** Ends what was started. */
export async function endCloudTarget(): Promise<void> {
  const running = simulated;
  found = undefined;
  simulated = undefined;
  await (await running)?.stop();
}

async function findTarget(env: NodeJS.ProcessEnv): Promise<CloudTarget> {
  const mayChange = env['AZIOT_CONFORMANCE_ALLOW_CHANGES'] === '1';
  if (env['AZIOT_CONFORMANCE_DRIVER'] === 'azure')
    return readEnvironment(
      env,
      new Guard({
        maxRequests: Number(env['AZIOT_CONFORMANCE_MAX_REQUESTS'] ?? 300),
        spacingMs: Number(env['AZIOT_CONFORMANCE_MIN_SPACING'] ?? 250),
        mayChange,
        ledger: env['AZIOT_CONFORMANCE_LEDGER'] ?? join(mkdtempSync(join(tmpdir(), 'conformance-azure-')), 'ledger'),
      }),
    );
  const described = env['AZIOT_CONFORMANCE_TARGET'];
  if (described) return readTarget(described);
  simulated = startSimulated();
  return (await simulated).target;
}
