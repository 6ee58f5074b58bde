import assert from 'node:assert/strict';
import { type WireAnswer, WireConnection, type WireRequest, type WireResult } from './wire.ts';

/** One request on a connection of its own, as most callers of the daemons do it. */
export async function exchange(
  socketPath: string,
  uid: number,
  request: WireRequest,
  timeoutMs = 30_000,
): Promise<WireResult> {
  const connection = await WireConnection.open(socketPath, uid);
  try {
    return await connection.ask(request, timeoutMs);
  } finally {
    connection.close();
  }
}

/** The answer, where a closed connection is a failure. */
export function answered(result: WireResult): WireAnswer {
  if (result.closed)
    assert.fail(`the connection was closed without an answer (received ${JSON.stringify(result.received)})`);
  return result;
}

/** The JSON object in the body of an answer. */
export function jsonOf(answer: WireAnswer): Record<string, unknown> {
  const value: unknown = JSON.parse(answer.body);
  assert.ok(
    typeof value === 'object' && value !== null && !Array.isArray(value),
    `body is not a JSON object: ${answer.body}`,
  );
  return { ...value };
}

/** Asserts the status, and gives the JSON body (an empty object for an empty body). */
export function expectStatus(result: WireResult, status: number): Record<string, unknown> {
  const answer = answered(result);
  assert.equal(answer.status, status, `status ${answer.status} with body ${answer.body.slice(0, 300)}`);
  return answer.body === '' ? {} : jsonOf(answer);
}

/**
 * Asserts an error answer of a route: status, `content-type: application/json`, one member `message` that contains `text`.
 * Gives the message.
 */
export function expectError(result: WireResult, status: number | readonly number[], text = ''): string {
  const answer = answered(result);
  const allowed = typeof status === 'number' ? [status] : status;
  assert.ok(
    allowed.includes(answer.status),
    `status ${answer.status} instead of ${allowed.join(' or ')}, body ${answer.body.slice(0, 300)}`,
  );
  const type = answer.headers.find(([name]) => name === 'content-type')?.[1];
  assert.equal(type, 'application/json', 'content-type of an error');
  const body = jsonOf(answer);
  assert.deepEqual(Object.keys(body), ['message'], 'members of an error body');
  assert.equal(typeof body['message'], 'string');
  const message = String(body['message']);
  assert.ok(message.includes(text), `message ${JSON.stringify(message)} does not contain ${JSON.stringify(text)}`);
  return message;
}

/** A member of a JSON object that has to be a string. */
export function stringMember(body: Record<string, unknown>, name: string): string {
  const value = body[name];
  if (typeof value !== 'string') assert.fail(`member ${name} is not a string in ${JSON.stringify(body)}`);
  return value;
}
