/** How each recorded command of the reference's engine (fixtures/golden/engine.json) is replayed with ours. */
import type { Behaviour } from './stand-in-messages.ts';

const json = 'content-type: application/json';
const length = 'content-length: {{length}}';
const algorithm = '/parameters/algorithm';
const base64 = (bytes: readonly number[] | Buffer) => Buffer.from(bytes).toString('base64');

/** How keyd answers during one exchange; those that are not named get right answers. */
export const behaviours: Readonly<Record<string, Behaviour>> = {
  'answer-head-split': { splitAt: 10 },
  'answer-body-split': { splitAt: 75 },
  'answer-content-type-charset': { head: ['HTTP/1.1 200 OK', `${json}; charset=utf-8`, length] },
  'answer-head-over-512': { head: ['HTTP/1.1 200 OK', json, length, `x-more: ${'a'.repeat(600)}`] },
  'answer-headers-17': { head: ['HTTP/1.1 200 OK', json, length, ...Array<string>(15).fill('x-more: 1')] },
  'answer-no-content-length': { head: ['HTTP/1.1 200 OK', json] },
  'answer-chunked': {
    raw: `HTTP/1.1 200 OK\r\n${json}\r\ntransfer-encoding: chunked\r\n\r\n11\r\n{"value":"ECDSA"}\r\n0\r\n\r\n`,
  },
  'answer-http-1.0': { head: ['HTTP/1.0 200 OK', json, length] },
  'answer-header-case': { head: ['HTTP/1.1 200 OK', 'CONTENT-TYPE: application/json', 'Content-Length: {{length}}'] },
  'answer-status-202': { status: 202 },
  'answer-status-302': { status: 302 },
  'answer-alg-unknown': { path: algorithm, body: '{"value":"FOO"}' },
  'answer-body-too-long': { extra: 'more than was announced' },
  'answer-not-http': { raw: 'this is not HTTP\r\n\r\n' },
  'answer-point-bad': { path: '/parameters/ec-point', body: '{"value":"AgEB"}' },
  'answer-oid-bad': { path: '/parameters/ec-curve-oid', body: '{"value":"AAAA"}' },
  'answer-sign-malformed-der': { path: '/sign', body: `{"signature":"${base64([0x30, 0x20, 1, 2])}"}` },
  'answer-sign-extra-after-der': { path: '/sign', body: `{"signature":"${base64([0x30, 6, 2, 1, 1, 2, 1, 1, 0])}"}` },
  'answer-sign-empty': { path: '/sign', body: '{"signature":""}' },
  'answer-encrypt-too-long': { path: '/encrypt', body: `{"ciphertext":"${base64(Buffer.alloc(257, 1))}"}` },
  'answer-encrypt-short': { path: '/encrypt', body: `{"ciphertext":"${base64(Buffer.alloc(10, 1))}"}` },
  'answer-sign-500': { path: '/sign', status: 500, body: '{"message":"internal error"}' },
  'answer-sign-500-no-json': { path: '/sign', status: 500, body: 'oops' },
  'answer-eof-at-once': { close: true },
  'answer-eof-in-head': { splitAt: 10, closeAfterSplit: true },
  'answer-eof-in-body': { splitAt: 75, closeAfterSplit: true },
  'answer-never': { silent: true },
};

/**
 * Where ours differs on purpose: the exit code, and how many requests there are (`any`: keyd is asked again and
 * again). Each has its row in docs/differences/openssl.md.
 */
export const differences: Readonly<Record<string, { readonly exit: number; readonly requests: number | 'any' }>> = {
  'engine-twice': { exit: 0, requests: 0 },
  'load-key-id': { exit: 0, requests: 4 },
  'answer-head-split': { exit: 0, requests: 3 },
  'answer-content-type-charset': { exit: 0, requests: 3 },
  'answer-head-over-512': { exit: 0, requests: 3 },
  'answer-headers-17': { exit: 0, requests: 3 },
  'answer-chunked': { exit: 1, requests: 1 },
  'answer-sign-extra-after-der': { exit: 1, requests: 4 },
  'answer-encrypt-short': { exit: 1, requests: 4 },
  'answer-eof-at-once': { exit: 1, requests: 'any' },
  'answer-eof-in-body': { exit: 1, requests: 1 },
  'answer-never': { exit: 1, requests: 1 },
};

/** Exchanges that need a TLS peer, another user or a C program: the tests that cover them with ours. */
export const elsewhere: readonly (readonly [id: RegExp, test: string])[] = [
  [/^tls-tls1_[23]-|^tls12-rsa-|^tls-cert-key-mismatch$|^tls-\d+-parallel$|^server-/, 'engine-tls.test.ts'],
  [/^curl-client/, 'engine-tls.test.ts SSL-023'],
  [/^dup-|^engine-freed-/, 'engine-memory.test.ts SSL-025 SSL-026'],
  [/^sign-after-keyd-restart$/, 'keyd-engine.test.ts SSL-034'],
  [/^other-uid-/, 'engine-transport.test.ts SSL-031'],
  [/^keyd-not-there-|^keyd-refuses$/, 'engine-load.test.ts SSL-001 SSL-007'],
];
