import type { ProxySettings, SendHttps, TrustStore } from '../https/index.ts';
import type { Clock, Logger } from '../process/index.ts';
import type { ClockWatch } from './clock-watch.ts';

/** What the clients of the cloud share; everything that touches the outside comes from here. */
export interface CloudContext {
  readonly send: SendHttps;
  readonly trust: () => Promise<TrustStore>;
  readonly proxy: ProxySettings | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** In [0, 1). */
  readonly random: () => number;
  /** Limit of one attempt, milliseconds (`cloud_timeout_sec`). */
  readonly timeoutMs: number;
  /** Ordinary retries after the first attempt (`cloud_retries`). */
  readonly retries: number;
  readonly keydSocketPath: string;
  /** Ends whatever is under way when the service stops. */
  readonly signal?: AbortSignal;
  /** How long a token lives, seconds; default five minutes. The reference has 30, which leaves no room for clock skew. */
  readonly tokenLifetimeSec?: number;
  /** Told the `Date` of every answer. */
  readonly clockWatch?: ClockWatch;
}
