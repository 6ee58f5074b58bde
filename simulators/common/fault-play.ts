import type { ServerResponse } from 'node:http';
import type { Clock } from './clock.ts';
import type { Fault } from './faults.ts';
import type { JournalEntry } from './journal.ts';

const PAGE = '<!doctype html><html><body><h1>Sign in to the guest network</h1></body></html>\n';

/** What is left to do after a fault: nothing, the proper answer, or that answer slowly. */
export type AfterFault = 'answered' | 'answer' | { readonly millisecondsPerByte: number };

/** What a fault may touch. */
export interface FaultStage {
  readonly response: ServerResponse;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly entry: JournalEntry;
  /** Sends a TCP reset to the caller. */
  readonly reset: () => void;
}

function untilHangUp(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** Plays a fault; with a `delay` the promise rejects when the caller hangs up first. */
export async function playFault(fault: Fault, stage: FaultStage): Promise<AfterFault> {
  const { response, entry } = stage;
  const end = (status: number, headers: Record<string, string | number>, body: string) => {
    entry.status = status;
    const length = status === 204 || status === 304 ? {} : { 'content-length': Buffer.byteLength(body) };
    response.writeHead(status, { ...length, ...headers });
    response.end(body);
  };
  switch (fault.kind) {
    case 'status':
      end(fault.status, { 'content-type': 'application/json', ...fault.headers }, fault.body ?? '');
      return 'answered';
    case 'bad-json':
      end(200, { 'content-type': 'application/json' }, '{"broken": ');
      return 'answered';
    case 'html':
      end(200, { 'content-type': 'text/html' }, PAGE);
      return 'answered';
    case 'delay':
      await stage.clock.sleep(fault.milliseconds, stage.signal);
      return 'answer';
    case 'slow-bytes':
      return { millisecondsPerByte: fault.milliseconds };
    case 'never':
      await untilHangUp(stage.signal);
      return 'answered';
    case 'close-mid-body':
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 });
      response.write('{"cut": "', () => response.socket?.destroy());
      return 'answered';
    case 'reset':
      stage.reset();
      return 'answered';
  }
}
