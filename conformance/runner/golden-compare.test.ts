import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { answered, exchange } from './exchange.ts';
import { differences, type Freedom } from './golden-compare.ts';
import { readExchange } from './golden-file.ts';
import { fillIn, keep } from './golden-values.ts';
import { registryDefects } from './requirement.ts';

const JSON_TYPE = { 'content-type': 'application/json', 'content-length': '2' };
const FREE: Freedom = { volatile: [], saved: [] };

/** A server that answers everything with the same bytes. */
async function stub<T>(answer: string, use: (socket: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'stub-'));
  const server = createServer((socket) => socket.on('data', () => socket.end(answer)));
  await new Promise<void>((resolve) => server.listen(join(folder, 'sock'), resolve));
  try {
    return await use(join(folder, 'sock'));
  } finally {
    server.close();
    await rm(folder, { recursive: true });
  }
}

function json(status: number, body: string): string {
  return `HTTP/1.1 ${status} X\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

async function compare(status: number, body: string, recorded: unknown, freedom = FREE): Promise<string[]> {
  const answer = await stub(json(status, body), (socket) => exchange(socket, 0, { method: 'GET', target: '/' }));
  return differences({ status: 200, headers: JSON_TYPE, body: recorded }, answered(answer), freedom);
}

test('an equal answer has no differences; another status, value or member is one', async () => {
  expect(await compare(200, '{"a":"b"}', { a: 'b' })).toEqual([]);
  expect(await compare(400, '{"a":"b"}', { a: 'b' })).toHaveLength(1);
  expect(await compare(200, '{"a":"c"}', { a: 'b' })).toHaveLength(1);
  expect(await compare(200, '{"a":"b","c":1}', { a: 'b' })).toHaveLength(1);
});

test('a volatile value is compared by shape only', async () => {
  const freedom = { volatile: ['a'], saved: [] };
  expect(await compare(200, '{"a":"other"}', { a: 'b' }, freedom)).toEqual([]);
  expect(await compare(200, '{"a":5}', { a: 'b' }, freedom)).toHaveLength(1);
  expect(await compare(200, '{"a":""}', { a: 'b' }, freedom)).toHaveLength(1);
});

test('a connection closed without an answer is told apart', async () => {
  const result = await stub('', (socket) => exchange(socket, 0, { method: 'GET', target: '/' }));
  expect(result).toEqual({ closed: true, received: '' });
});

test('saved values are filled in, and a name that nothing gave is an error', () => {
  const saved = new Map<string, string>();
  keep({ keyHandle: 'sr=x' }, { h: 'keyHandle' }, saved);
  expect(fillIn({ list: ['{{h}}', '@ROOT@/f'] }, saved, { '@ROOT@': '/r' })).toEqual({ list: ['sr=x', '/r/f'] });
  expect(() => fillIn('{{none}}', saved)).toThrow(/none/);
});

test('a member that the interpreter does not know is an error', () => {
  expect(() => readExchange('f', { id: 'x', section: 's', surprise: 1 })).toThrow(/surprise/);
});

test('an id without handler, recording or reason is a defect', () => {
  const checklist = { prefix: 'XX', count: 3, recorded: { 2: ['f#x'] }, without: { 3: 'a reason' } };
  expect(registryDefects([], [checklist])).toEqual(['XX-001 has no handler']);
});
