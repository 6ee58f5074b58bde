import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';

/** What a daemon is started with; everything that touches the outside comes from here. */
export interface DaemonContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  readonly clock: Clock;
}

/** A daemon that serves. */
export interface RunningDaemon {
  /** Stops listening, lets the requests in flight end (at most some seconds), frees tokens and files. */
  close(): Promise<void>;
}

/** Starts one daemon; rejects with the cause when its configuration cannot be used (exit 1). */
export type StartDaemon = (context: DaemonContext) => Promise<RunningDaemon>;

/** The text of an error and of each of its causes, outermost first, without stacks. */
export function causeChain(error: unknown): string[] {
  const chain: string[] = [];
  const seen = new Set<unknown>();
  let current: unknown = error;
  while (current !== undefined && current !== null && !seen.has(current) && chain.length < 16) {
    seen.add(current);
    chain.push(current instanceof Error ? current.message : String(current));
    current = current instanceof Error ? current.cause : undefined;
  }
  return chain;
}
