import { AssertionError } from 'node:assert';
import { inspect } from 'node:util';
import { type Context, Skipped } from './context.ts';
import type { Level, Need } from './level.ts';
import type { Requirement, Source } from './requirement.ts';
import { LeftOut } from './skipped.ts';
import { Trace, traced, type WireEvent } from './trace.ts';

/** Where the keys were while a requirement was judged. */
export type StoreKind = 'file' | 'softhsm' | 'tpm';

/** The verdict on one requirement. */
export interface Outcome {
  readonly id: string;
  readonly group: string;
  readonly text: string;
  readonly source: Source;
  readonly level: Level;
  readonly store: StoreKind;
  readonly result: 'passed' | 'failed' | 'skipped';
  /** Why it failed or was skipped. */
  readonly reason?: string;
  /** What is lacking where it was skipped for that. */
  readonly need?: Need;
  /** Shown side by side where a comparison failed. */
  readonly expected?: string;
  readonly got?: string;
  /** What went over the wire, of a failed one. */
  readonly exchange?: readonly WireEvent[];
  readonly exchangeDropped?: number;
  readonly seconds: number;
}

/** `KS-043/softhsm` and `keys-softhsm#create` were judged on a token. */
function storeOf(id: string): StoreKind {
  const found = /(?:\/|^[a-z]+-)(softhsm|tpm)(?:#|$)/.exec(id)?.[1];
  return found === 'softhsm' || found === 'tpm' ? found : 'file';
}

const NEED_OF_STORE: Readonly<Partial<Record<StoreKind, Need>>> = { softhsm: 'pkcs11', tpm: 'tpm' };

/** No case takes as long; one that waits for ever is failed by then, and the others go on. */
const LONGEST_CASE_MS = 90_000;

/** Rejects where `work` does not settle in time. */
async function within(limitMs: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the case did not end within ${limitMs / 1000} s`)), limitMs);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Runs one requirement; its own worlds end with it. */
export async function judge(
  context: Context,
  groupName: string,
  requirement: Requirement,
  limitMs = LONGEST_CASE_MS,
): Promise<Outcome> {
  const { id, text, source, level = 'must' } = requirement;
  const store = storeOf(id);
  const started = performance.now();
  const trace = new Trace();
  const outcome = (result: Outcome['result'], more: Partial<Outcome> = {}): Outcome => {
    const seconds = Math.round((performance.now() - started) / 10) / 100;
    return { id, group: groupName, text, source, level, store, result, seconds, ...more };
  };
  try {
    await within(
      limitMs,
      traced(trace, () => requirement.run(context)),
    );
    return outcome('passed');
  } catch (error) {
    if (error instanceof LeftOut) return outcome('skipped', { reason: error.message });
    if (error instanceof Skipped) {
      const need = error.need ?? NEED_OF_STORE[store];
      return outcome('skipped', { reason: error.message, ...(need ? { need } : {}) });
    }
    const exchange = { exchange: trace.events, exchangeDropped: trace.dropped };
    return outcome('failed', { reason: reasonOf(error), ...sidesOf(error), ...exchange });
  } finally {
    await context.endRequirement();
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function sidesOf(error: unknown): { expected?: string; got?: string } {
  if (!(error instanceof AssertionError) || (error.expected === undefined && error.actual === undefined)) return {};
  return { expected: shown(error.expected), got: shown(error.actual) };
}

function shown(value: unknown): string {
  const text =
    typeof value === 'string' ? value : inspect(value, { depth: 6, breakLength: 80, maxStringLength: 4_000 });
  return text.length > 8_000 ? `${text.slice(0, 8_000)}…` : text;
}
