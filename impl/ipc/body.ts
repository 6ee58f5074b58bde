import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import type { TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import type { Method } from './route.ts';
import { ServiceError } from './service-error.ts';
import { JsonRefused, parseStrictJson } from './strict-json.ts';

/** Largest request body; long enough for data to sign or encrypt (spec/transport.md 6, stricter). */
const BODY_LIMIT_BYTES = 1024 * 1024;
/** Time from the head to the last byte of the body (spec/transport.md 6). */
const BODY_DEADLINE_MS = 5000;

const validators = new WeakMap<TSchema, Validator>();

function validatorOf(schema: TSchema): Validator {
  let validator = validators.get(schema);
  if (!validator) {
    validator = Compile(schema);
    validators.set(schema, validator);
  }
  return validator;
}

const bodyInvalid = (text: string) => new ServiceError('body-invalid', { parameters: { text } });

/** Whether a `content-type` says JSON: the part before `;`, trimmed, ignoring case (stricter than the reference: RFC 9110 8.3.1). */
function isJson(contentType: string): boolean {
  return contentType.split(';', 1)[0]?.trim().toLowerCase() === 'application/json';
}

/** Reads the whole body within its limits. Throws the 400, 408 or 413 of the table; the connection is then to be closed. */
function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(() => finish(new ServiceError('body-timeout')), BODY_DEADLINE_MS);
    let finished = false;
    const finish = (error?: ServiceError) => {
      finished = true;
      clearTimeout(timer);
      const [first] = chunks;
      if (error) reject(error);
      else resolve(chunks.length === 1 && first ? first : Buffer.concat(chunks));
    };
    request.on('data', (chunk: Buffer) => {
      if (finished) return;
      size += chunk.length;
      if (size > limit) {
        finish(new ServiceError('body-too-large', { parameters: { limit } }));
      } else chunks.push(chunk);
    });
    request.on('end', () => finish());
    request.on('error', (cause) => finish(new ServiceError('body-unreadable', { cause })));
    request.on('aborted', () => finish(new ServiceError('body-unreadable')));
  });
}

function parse(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw bodyInvalid('body is not UTF-8');
  try {
    return parseStrictJson(bytes.toString('utf8'));
  } catch (error) {
    if (error instanceof JsonRefused) throw bodyInvalid(error.message);
    throw error;
  }
}

function checkShape(schema: TSchema, value: unknown): unknown {
  const validator = validatorOf(schema);
  if (validator.Check(value)) return value;
  const first = validator.Errors(value)[0];
  const where = first?.instancePath ? first.instancePath.slice(1).replaceAll('/', '.') : 'body';
  throw bodyInvalid(`${where}: ${first?.message ?? 'does not fit the expected shape'}`);
}

/**
 * Applies the body rules of POST and DELETE (`absent` where the type is not JSON) or PUT (415, always parsed), in the order of
 * spec/transport.md 6. `method` is undefined where the route lacks it: the body is still syntax-checked first.
 */
export async function takeBody(
  verb: 'POST' | 'PUT' | 'DELETE',
  request: IncomingMessage,
  method: Method | undefined,
  largestBytes = BODY_LIMIT_BYTES,
): Promise<unknown> {
  const contentType = request.headers['content-type'];
  if (verb === 'PUT' && contentType !== undefined && !isJson(contentType)) throw new ServiceError('body-not-json');
  const bytes = await readBody(request, largestBytes);
  const absent = verb !== 'PUT' && (bytes.length === 0 || (contentType !== undefined && !isJson(contentType)));
  const value = absent ? undefined : parse(bytes);
  if (!method) throw new ServiceError('method-not-allowed');
  if (method.schema === undefined || method.body === 'none') return undefined;
  if (absent) {
    if (method.body === 'optional') return undefined;
    throw new ServiceError('body-missing');
  }
  return checkShape(method.schema, value);
}
