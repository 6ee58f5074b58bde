import assert from 'node:assert/strict';
import { answered, exchange, expectError, expectStatus, WireConnection, type WireRequest } from '../runner/index.ts';

/** A request whose body stays away is answered 408 after about five seconds (transport.md 6). */
export async function bodyWithheld(socket: string, uid: number, method: string, target: string): Promise<void> {
  const connection = await WireConnection.open(socket, uid);
  try {
    const started = performance.now();
    connection.write(
      `${method} ${target} HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"partial`,
    );
    const answer = await connection.answer(method, 12_000);
    const seconds = (performance.now() - started) / 1_000;
    expectError(answer, 408, '');
    assert.ok(seconds > 3.5 && seconds < 9, `answered after ${seconds.toFixed(1)} s instead of about 5 s`);
  } finally {
    connection.close();
  }
}

/** Bytes that are no HTTP get a bare 400 and the end of the connection; others go on being served. */
export async function garbageInsteadOfHttp(socket: string, uid: number): Promise<void> {
  const connection = await WireConnection.open(socket, uid);
  try {
    connection.write('this is no request\r\n\r\n');
    const answer = answered(await connection.answer('GET', 10_000));
    assert.equal(answer.status, 400);
    assert.equal(answer.body, '');
    assert.ok(await connection.closesWithin(5_000), 'the connection stays open');
  } finally {
    connection.close();
  }
  expectError(await exchange(socket, uid, { method: 'GET', target: '/x' }), 400, 'api-version not specified');
}

/**
 * Twelve connections of one uid, each of which has asked once and is kept open: every one is answered. (The reference closes the
 * eleventh; ours closes an idle one for it, or lets it wait: transport.md 5, "stricter".) Another uid is served meanwhile.
 */
export async function twelveConnections(
  socket: string,
  uid: number,
  request: WireRequest,
  status: number,
): Promise<void> {
  const open: WireConnection[] = [];
  try {
    for (let number = 1; number <= 12; number += 1) {
      const connection = await WireConnection.open(socket, uid);
      open.push(connection);
      expectStatus(await connection.ask(request, 10_000), status);
    }
    expectStatus(await exchange(socket, 0, request, 10_000), status);
  } finally {
    for (const connection of open) connection.close();
  }
}

/** Opens connections that are busy: each has sent the head of a request and holds its body back. */
export async function busyConnections(
  socket: string,
  uid: number,
  count: number,
  target: string,
): Promise<WireConnection[]> {
  const open: WireConnection[] = [];
  for (let number = 0; number < count; number += 1) {
    const connection = await WireConnection.open(socket, uid);
    connection.write(`POST ${target} HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n`);
    open.push(connection);
  }
  return open;
}
