import assert from 'node:assert/strict';
import type { Context } from '../runner/index.ts';
import type { ServiceAnswer } from './client.ts';

/** What the description of the service must hold, else the requirement is skipped. */
export function needed<T>(context: Context, value: T | undefined, name: string): T {
  return value === undefined ? context.skip(`the description of the service has no "${name}"`) : value;
}

/** Asserts the status; gives the JSON of the body. */
export function expectAnswer(answer: ServiceAnswer, ...statuses: readonly number[]): Record<string, unknown> {
  const { status, body } = answer;
  assert.ok(
    statuses.includes(status),
    `status ${statuses.join(' or ')} was expected, ${status} came: ${body.slice(0, 300)}`,
  );
  const type = answer.headers['content-type'] ?? 'none';
  assert.match(type, /^application\/json/i, 'content-type');
  return jsonObject(body);
}

/** A DPS error: `errorCode` = status × 1000 + detail, `trackingId`, `message`, `timestampUtc` (spec cloud.md 7). Gives it. */
export function expectDpsError(answer: ServiceAnswer, ...statuses: readonly number[]): Record<string, unknown> {
  const body = expectAnswer(answer, ...statuses);
  const { errorCode, trackingId, message } = body;
  assert.ok(Number.isInteger(errorCode), `errorCode is no integer: ${answer.body}`);
  assert.equal(Math.floor(Number(errorCode) / 1000), answer.status, 'errorCode / 1000');
  assert.ok(isText(trackingId) && isText(message), `trackingId and message are no texts: ${answer.body}`);
  return body;
}

/** A hub error: `Message` of the form `ErrorCode:Name;text`, `iothub-errorcode` the same name (spec cloud.md 7). Gives the name. */
export function expectHubError(answer: ServiceAnswer, ...statuses: readonly number[]): string {
  const { Message } = expectAnswer(answer, ...statuses);
  const [, name] = /^ErrorCode:(\w+);./.exec(String(Message)) ?? [];
  assert.ok(name !== undefined, `Message does not begin with ErrorCode:Name; ${answer.body}`);
  return name;
}

export const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

/** Canonical base64 of so many bytes. */
export function isBase64(value: unknown, { least = 1, most = Number.MAX_SAFE_INTEGER } = {}): boolean {
  if (typeof value !== 'string') return false;
  const bytes = Buffer.from(value, 'base64');
  return bytes.toString('base64') === value && bytes.length >= least && bytes.length <= most;
}

function jsonObject(text: string): Record<string, unknown> {
  const value: unknown = JSON.parse(text);
  assert.ok(typeof value === 'object' && value !== null && !Array.isArray(value), `no JSON object: ${text}`);
  return { ...value };
}
