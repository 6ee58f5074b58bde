import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { WireRequest } from './wire.ts';

/** The answer that was recorded. `body` is the JSON value, or a string where the body was no JSON. */
export interface RecordedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
  readonly headBytes?: number;
  readonly oneWrite?: boolean;
}

/** One recorded step. Steps without `request` are facts that a scenario reproduces by a hand-written step. */
export interface RecordedExchange {
  readonly id: string;
  readonly section: string;
  readonly daemon?: string;
  readonly uid?: number;
  readonly request?: WireRequest;
  readonly response?: RecordedAnswer;
  readonly save?: Readonly<Record<string, string>>;
  readonly volatile?: readonly string[];
  readonly checked?: unknown;
  /** The members that are not common to all files. */
  readonly facts: Readonly<Record<string, unknown>>;
}

const COMMON = new Set(['id', 'section', 'daemon', 'uid', 'request', 'response', 'save', 'volatile', 'checked']);
const REQUEST = new Set(['method', 'target', 'headers', 'body']);
const RESPONSE = new Set(['status', 'headers', 'body', 'headBytes', 'oneWrite']);

/**
 * Members beside the common ones, and how they are dealt with: they come in `facts`, and the scenario of the file has to
 * know each step that has one.
 */
const FACTS = new Set(
  (
    'after before calls certificateChanged changed commands config directoryWasInTheWay dropIn exists exit exitCode fifty handles info isSocket keyChanged ' +
    'keyMatches keys log logAtDefaultLevel mode modes name note other otherUid otherUidAfterwards primaryMatches requests result ' +
    'sameUidAfterwards seconds secondsAfterStart secondsUntilNoticed size start stored temp'
  ).split(' '),
);

type Json = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Reads `fixtures/golden/<name>.json`.
 * @throws Error naming the exchange and member when the file has a member that the interpreter does not know
 */
export async function loadGolden(name: string): Promise<RecordedExchange[]> {
  const path = fileURLToPath(new URL(`../../fixtures/golden/${name}.json`, import.meta.url));
  const file: unknown = JSON.parse(await readFile(path, 'utf8'));
  if (!isObject(file) || !Array.isArray(file['exchanges'])) throw new Error(`${name}.json has no list of exchanges`);
  return file['exchanges'].map((exchange: unknown) => readExchange(name, exchange));
}

/** Checks one exchange and parts it into the common members and the facts. */
export function readExchange(file: string, value: unknown): RecordedExchange {
  if (!isObject(value) || typeof value['id'] !== 'string') throw new Error(`${file}.json: an exchange without id`);
  const id = value['id'];
  const unknown = (kind: string, names: string[]) => {
    if (names.length > 0) throw new Error(`${file}.json: exchange ${id} has unknown ${kind} ${names.join(', ')}`);
  };
  unknown(
    'members',
    Object.keys(value).filter((name) => !COMMON.has(name) && !FACTS.has(name)),
  );
  if (isObject(value['request']))
    unknown(
      'request members',
      Object.keys(value['request']).filter((name) => !REQUEST.has(name)),
    );
  if (isObject(value['response']))
    unknown(
      'response members',
      Object.keys(value['response']).filter((name) => !RESPONSE.has(name)),
    );
  const common = Object.fromEntries(Object.entries(value).filter(([name]) => COMMON.has(name)));
  const facts = Object.fromEntries(Object.entries(value).filter(([name]) => FACTS.has(name)));
  return { ...(common as unknown as Omit<RecordedExchange, 'facts'>), facts };
}
