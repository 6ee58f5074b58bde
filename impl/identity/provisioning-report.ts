import type { Phase } from './provisioning-state.ts';

/** How provisioning stands, for whoever has to find out why there is no device. Times are Unix milliseconds. */
export interface ProvisioningReport {
  readonly state: Phase;
  /** When this state began. */
  readonly since: number;
  /** Why the last attempt failed; undefined once one has succeeded. */
  readonly lastError: { readonly message: string; readonly at: number } | undefined;
  /** Why an attempt is running, or about to. */
  readonly running: string | undefined;
  /** When it is tried again by itself; undefined where nothing is left to be done, or an attempt is running. */
  readonly nextAttempt: number | undefined;
  /** When the device certificate is renewed. */
  readonly nextRenewal: number | undefined;
  /** Seconds that the clock of this device is ahead of the cloud's (negative: behind), where that is too much. */
  readonly clockAheadSeconds: number | undefined;
}

/** `YYYY-MM-DDTHH:MM:SSZ`. */
const timeText = (milliseconds: number | undefined): string | null =>
  milliseconds === undefined ? null : `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;

/** The member `status` of `GET /identities/provisioning?status=true` (docs/identity.md). */
export function reportJson(report: ProvisioningReport) {
  const { state, since, lastError, running, nextAttempt, nextRenewal, clockAheadSeconds } = report;
  return {
    state,
    since: timeText(since),
    lastError: lastError ? { message: lastError.message, time: timeText(lastError.at) } : null,
    running: running ?? null,
    nextAttempt: timeText(nextAttempt),
    nextRenewal: timeText(nextRenewal),
    clockAheadSeconds: clockAheadSeconds ?? null,
  };
}
