import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Skipped } from '../runner/index.ts';
import { readEnvironment, readTarget } from './described.ts';
import { Guard, type Limits } from './guard.ts';
import { type Simulated, startSimulated } from './simulated.ts';
import type { CloudTarget } from './target.ts';

let found: Promise<CloudTarget> | undefined;
let simulated: Promise<Simulated> | undefined;

/**
 * What is judged: with driver `azure` what the variables describe; with `AZIOT_CONFORMANCE_TARGET` (a JSON file) what that describes, with driver
 * `external` nothing else; else a simulated cloud that is started for it.
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

function guardFrom(env: NodeJS.ProcessEnv, rules: Pick<Limits, 'maxRequests' | 'spacingMs'>): Guard {
  const ledger = env['AZIOT_CONFORMANCE_LEDGER'] ?? join(mkdtempSync(join(tmpdir(), 'conformance-ledger-')), 'ledger');
  return new Guard({ ...rules, mayChange: env['AZIOT_CONFORMANCE_ALLOW_CHANGES'] === '1', ledger });
}

/** The same services, with a guard before each of their listeners. */
function guarded({ dps, hub }: CloudTarget, guard: Guard): CloudTarget {
  const gateway = hub?.gateway && { gateway: { ...hub.gateway, guard } };
  return { ...(dps ? { dps: { ...dps, guard } } : {}), ...(hub ? { hub: { ...hub, guard, ...gateway } } : {}) };
}

async function findTarget(env: NodeJS.ProcessEnv): Promise<CloudTarget> {
  const described = env['AZIOT_CONFORMANCE_TARGET'];
  switch (env['AZIOT_CONFORMANCE_DRIVER']) {
    case 'azure':
      return readEnvironment(
        env,
        guardFrom(env, {
          maxRequests: Number(env['AZIOT_CONFORMANCE_MAX_REQUESTS'] ?? 300),
          spacingMs: Number(env['AZIOT_CONFORMANCE_MIN_SPACING'] ?? 250),
        }),
      );
    case 'external':
      if (!described)
        throw new Skipped('driver external judges the DPS and hub that --target FILE describes', 'control');
      return guarded(readTarget(described), guardFrom(env, { maxRequests: Number.POSITIVE_INFINITY, spacingMs: 0 }));
    default:
      if (described) return readTarget(described);
  }
  simulated = startSimulated();
  return (await simulated).target;
}
