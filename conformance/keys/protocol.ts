import assert from 'node:assert/strict';
import { exchange, expectError, expectStatus, group, WireConnection } from '../runner/index.ts';
import { Caller } from './caller.ts';
import { keydOnFiles } from './world.ts';

const MEBIBYTE = 1024 * 1024;

export const protocol = group('keyd protocol', {
  'KS-020': [
    'a body beyond the limit is refused and the daemon goes on',
    'spec',
    async (context) => {
      const world = await context.shared(keydOnFiles);
      const connection = await WireConnection.open(world.socket('keyd'));
      try {
        connection.write(
          `POST /key?api-version=2021-05-01 HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: ${100 * MEBIBYTE}\r\n\r\n`,
        );
        connection.write('x'.repeat(2 * MEBIBYTE));
        expectError(await connection.answer('POST', 10_000), 413);
        assert.ok(await connection.closesWithin(5_000), 'the connection stays open');
      } finally {
        connection.close();
      }
      await new Caller(world).key('test-after-413');
    },
  ],
  'KS-021': [
    'a request without a Host header is served',
    'spec',
    async (context) => {
      const world = await context.shared(keydOnFiles);
      const request = { method: 'GET', target: '/key/test-sym?api-version=2021-05-01' };
      expectStatus(await exchange(world.socket('keyd'), 0, request), 200);
    },
  ],
  'KS-026': [
    'all routes are served in both versions',
    'reference-run',
    async (context) => {
      const old = new Caller(await context.shared(keydOnFiles), 0, '2020-09-01');
      const keyHandle = await old.key('test-old-version');
      expectStatus(await old.delete('/key', { keyHandle }), 204);
      await old.pair('test-old-pair');
      expectStatus(await old.post('/keypair/test-old-moved', { from: 'test-old-pair' }), 204);
    },
  ],
});

const BAD: readonly (readonly [name: string, path: string, body: unknown, status: number])[] = [
  ['a list', '/key', '[]', 422],
  ['a number as key id', '/key', { keyId: 7, usage: 'sign' }, 422],
  ['null as key id', '/key', { keyId: null, usage: 'sign' }, 422],
  ['a duplicate member', '/key', '{"keyId":"a","keyId":"b","usage":"sign"}', 422],
  ['an unknown usage', '/key', { keyId: 'test-bad', usage: 'wrap' }, 422],
  ['blanks in usage', '/key', { keyId: 'test-bad', usage: 'sign, derive' }, 422],
  ['url-safe base64', '/key', { keyId: 'test-bad', usage: 'sign', keyBytes: '-_-_' }, 422],
  ['unpadded base64', '/key', { keyId: 'test-bad', usage: 'sign', keyBytes: 'AAA' }, 422],
  ['base64 with a newline', '/key', { keyId: 'test-bad', usage: 'sign', keyBytes: 'AAAA\n' }, 422],
  ['base64 with unused bits set', '/key', { keyId: 'test-bad', usage: 'sign', keyBytes: 'AB==' }, 422],
  ['NUL in the id', '/key', { keyId: 'a\0b', usage: 'sign' }, 400],
  ['an unknown algorithm', '/sign', { keyHandle: 'x', algorithm: 'RSA-PSS', parameters: {} }, 422],
  ['a handle that is none', '/sign', { keyHandle: 'x', algorithm: 'HMAC-SHA256', parameters: { message: '' } }, 400],
  ['no derivation data', '/derivedkey', { keyHandle: 'x' }, 422],
  ['a missing plaintext', '/encrypt', { keyHandle: 'x', algorithm: 'RSA-PKCS1' }, 422],
  ['a move without source', '/keypair/test-bad', {}, 422],
  ['a move of a symmetric key', '/key/test-bad', { from: 'x' }, 400],
  ['broken UTF-16 escape', '/key', '{"keyId":"\\ud8","usage":"sign"}', 422],
];

/** Bodies that have to be refused, and leave nothing behind. */
export const badBodies = group(
  'keyd refuses',
  Object.fromEntries(
    BAD.map(([name, path, body, status], index) => [
      `KEYD-BAD-${String(index + 1).padStart(2, '0')}`,
      [
        `${name} is refused with ${status}`,
        'spec',
        async (context) => {
          const keyd = new Caller(await context.shared(keydOnFiles));
          expectError(await keyd.post(path, body), status);
          expectError(await keyd.get('/key/test-bad'), 400, 'a parameter has an invalid value');
        },
      ] as const,
    ]),
  ),
);
