import type { IncomingMessage } from 'node:http';
import type { Static, TSchema } from 'typebox';
import Value from 'typebox/value';
import { ControlRefusal } from './refusal.ts';

const LARGEST_BODY_BYTES = 1024 * 1024;

/** The body as text. @throws ControlRefusal 413 */
export async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LARGEST_BODY_BYTES) throw new ControlRefusal(413, `the body is larger than ${LARGEST_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** A value that fits the schema, and nothing beside it. @throws ControlRefusal 400 that names the place */
export function expectValue<T extends TSchema>(schema: T, value: unknown): Static<T> {
  if (Value.Check(schema, value)) return value as Static<T>;
  const [first] = Value.Errors(schema, value);
  const where = first?.instancePath ? first.instancePath.slice(1).replaceAll('/', '.') : 'the body';
  throw new ControlRefusal(400, `${where}: ${first?.message ?? 'not as documented'}`);
}

/** JSON text as a value that fits the schema; an empty text is an empty object. @throws ControlRefusal 400 */
export function readJson<T extends TSchema>(schema: T, text: string): Static<T> {
  let value: unknown;
  try {
    value = text.trim() === '' ? {} : JSON.parse(text);
  } catch (error) {
    throw new ControlRefusal(400, `the body is not JSON: ${(error as Error).message}`);
  }
  return expectValue(schema, value);
}
