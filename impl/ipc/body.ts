import { isUtf8 } from 'node:buffer';
import type { TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import type { Arrival } from './arrival.ts';
import type { Method } from './route.ts';
import { ServiceError } from './service-error.ts';
import { JsonRefused, parseStrictJson } from './strict-json.ts';

/** Largest request body; long enough for data to sign or encrypt (spec/transport.md 6, stricter). */
const BODY_LIMIT_BYTES = 1024 * 1024;

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

type VerbWithBody = 'POST' | 'PUT' | 'DELETE';

/** The bytes of a body, at hand or when they have come. A PUT whose type is not JSON is refused before (415; spec/transport.md 6). */
export function bodyOf(
  verb: VerbWithBody,
  arrival: Arrival,
  largestBytes = BODY_LIMIT_BYTES,
): Buffer | Promise<Buffer> {
  const { contentType } = arrival;
  if (verb === 'PUT' && contentType !== undefined && !isJson(contentType)) throw new ServiceError('body-not-json');
  return arrival.body(largestBytes);
}

/**
 * Applies the body rules of POST and DELETE (`absent` where the type is not JSON) or PUT (always parsed), in the order of
 * spec/transport.md 6. `method` is undefined where the route lacks it: the body is still syntax-checked first.
 */
export function readBody(
  verb: VerbWithBody,
  bytes: Buffer,
  contentType: string | undefined,
  method: Method | undefined,
): unknown {
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
