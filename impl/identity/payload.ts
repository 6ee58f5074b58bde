import { open } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { getSystemErrorMessage } from 'node:util';
import { invalidParameter } from '../ipc/index.ts';
import { causeChain } from '../process/index.ts';

/** Larger than anything that DPS takes. */
const LARGEST_PAYLOAD_BYTES = 1024 * 1024;

/** `JSON` with the source texts of numbers, which the library types of ES2024 do not know yet. */
const json = JSON as unknown as {
  parse(text: string, revive: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
  rawJSON(text: string): unknown;
  isRawJSON(value: unknown): boolean;
};

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null || json.isRawJSON(value)) return value;
  const entries = Object.entries(value).sort(([a], [b]) => byBytes(a, b));
  return Object.fromEntries(entries.map(([name, member]) => [name, sorted(member)]));
}

/** A custom payload: members of objects sorted by name, numbers as they were written (spec/identity-service.md 4.2). */
export function parsePayload(text: string): unknown {
  const keepNumber = (_key: string, value: unknown, { source }: { source?: string }) =>
    typeof value === 'number' && source !== undefined ? json.rawJSON(source) : value;
  return sorted(json.parse(text, keepNumber));
}

async function readFileOf(uri: string): Promise<string> {
  const url = new URL(uri);
  if (url.protocol !== 'file:') throw new Error('payload uri is not a file');
  const handle = await open(fileURLToPath(url), 'r');
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw new Error('payload uri is not a regular file');
    if (found.size > LARGEST_PAYLOAD_BYTES) throw new Error(`payload is larger than ${LARGEST_PAYLOAD_BYTES} bytes`);
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

/** The words of the operating system, as the reference prints them. */
function systemText(error: unknown): string | undefined {
  const { errno } = error as NodeJS.ErrnoException;
  if (typeof errno !== 'number') return undefined;
  const text = getSystemErrorMessage(errno);
  return `${text.charAt(0).toUpperCase()}${text.slice(1)} (os error ${-errno})`;
}

/** Reads the payload file of DPS anew. Throws the 400 on `provisioning.payload`. */
export async function loadPayload(uri: string | undefined): Promise<unknown> {
  if (uri === undefined) return undefined;
  try {
    return parsePayload(await readFileOf(uri));
  } catch (error) {
    throw invalidParameter('provisioning.payload', systemText(error) ?? causeChain(error)[0] ?? 'unreadable');
  }
}
