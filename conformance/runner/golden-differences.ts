import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { RecordedAnswer } from './golden-file.ts';
import type { WireRequest } from './wire.ts';

/** One recorded exchange that this project answers otherwise on purpose. It is asserted with the answer given here. */
export interface Difference {
  readonly file: string;
  readonly id: string;
  /** The spec line, and the word that makes it count (stricter, strict, ours), or the loss that an issue names. */
  readonly why: string;
  /** Members that differ from the recorded answer; a `body` of null with a status of 4xx or 5xx means: any message. */
  readonly expect?: Partial<Pick<RecordedAnswer, 'status' | 'headers' | 'body'>> & {
    readonly messageContains?: string;
  };
  /** A request in place of the recorded one, where the exchange rests on another that is answered otherwise. */
  readonly request?: Partial<WireRequest>;
  /** `METHOD /path` of each request that is sent to the cloud instead of the recorded ones, in order; `*` at the end: any number of the last one; `~` before one: or more. */
  readonly requests?: readonly string[];
  /** What the log has to say in place of the recorded cause. */
  readonly log?: string;
  /** Names of files below the home directory that differ from the recorded ones, in the snapshot that follows the exchange. */
  readonly files?: readonly string[];
  /** In words: what a step without a recorded request gives instead; the scenario's step asserts it. */
  readonly result?: string;
}

const PATH = fileURLToPath(new URL('../../fixtures/golden/differences.json', import.meta.url));

/** The listed differences of one golden file, by exchange id. */
export async function loadDifferences(file: string): Promise<ReadonlyMap<string, Difference>> {
  const { differences } = JSON.parse(await readFile(PATH, 'utf8')) as { differences: Difference[] };
  const ours = differences.filter((difference) => difference.file === file);
  const byId = new Map(ours.map((difference) => [difference.id, difference]));
  if (byId.size !== ours.length) throw new Error(`differences.json lists an exchange of ${file} twice`);
  return byId;
}

/**
 * Runs the assertion of a listed difference. Where it fails since the answer is that of the recording, the failure says so with what is
 * asked for instead: whoever reads it learns that the reference is followed where this project is stricter.
 * @throws whatever `assertion` throws, its message changed in that case
 */
export function orAsRecorded({ why }: Difference, isAsRecorded: () => boolean, assertion: () => void): void {
  try {
    assertion();
  } catch (error) {
    if (error instanceof Error && isAsRecorded()) error.message = `${asRecorded(why)}\n${error.message}`;
    throw error;
  }
}

/** First line of a failure that is the reference's own way, `why` from differences.json. */
export const asRecorded = (why: string): string => `answers as recorded; asked for is: ${why}`;
