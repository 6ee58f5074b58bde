import assert from 'node:assert/strict';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { fuzz, seedsOf } from './fuzz-bytes.ts';
import { checkHttp, type FuzzedServer, fuzzedCertd, fuzzedEst } from './fuzz-http.ts';
import { checkCsr, checkPem, checkPkcs7, checkToml } from './fuzz-readers.ts';

const DER_WORDS = [
  '\x30\x80',
  '\x30\x84\xff\xff\xff\xff',
  '\xa0\x00',
  '\x30\x00',
  '\x05\x00',
  '\x02\x01\x00',
  '=',
  '\r\n',
];
const PEM_WORDS = [
  '-----BEGIN CERTIFICATE-----\n',
  '-----END CERTIFICATE-----\n',
  '-----BEGIN PKCS7-----\n',
  '\r',
  '\n\n',
  '=',
];
const TOML_WORDS = [
  '[',
  ']]',
  '=',
  '"',
  "'''",
  '{}',
  '1e400',
  'nan',
  '1979-05-27',
  'true',
  '__proto__',
  '.',
  '\n',
  '"a"\n',
  '-1',
];
const HTTP_WORDS = [
  '\r\n',
  '\r\n\r\n',
  ':',
  ' ',
  '%00',
  '%',
  '?',
  '&wait=',
  'content-length: 5\r\n',
  'transfer-encoding: chunked\r\n',
  '0\r\n\r\n',
  'HTTP/1.0',
  '\0',
  '"',
];

/** Declares the fuzz runs: `scale` times as many as a sample has. */
export function fuzzRuns(scale: number): void {
  const timeout = 120_000 * scale;

  it(
    `PKCS#7 answers are a typed error, or a chain for the key of the request`,
    async () => {
      await fuzz(seedsOf('pkcs7'), { words: DER_WORDS, runs: 1000 * scale }, checkPkcs7);
    },
    timeout,
  );

  it(
    'certificate requests are a CsrError, or hold',
    async () => {
      await fuzz(seedsOf('csr'), { words: [...DER_WORDS, ...PEM_WORDS], runs: 1000 * scale }, checkCsr);
    },
    timeout,
  );

  it(
    'PEM texts are a typed error, or are written and read unchanged',
    async () => {
      await fuzz(seedsOf('pem'), { words: PEM_WORDS, runs: 1000 * scale }, checkPem);
    },
    timeout,
  );

  it(
    'configurations of certd start it, or are a ConfigError',
    async () => {
      await fuzz(seedsOf('toml'), { words: TOML_WORDS, runs: 80 * scale }, checkToml);
    },
    timeout,
  );

  describe.each([
    [
      'certd',
      'certd-',
      fuzzedCertd,
      'GET /certificates/x?api-version=2020-09-01 HTTP/1.1\r\nconnection: close\r\n\r\n',
      '400',
    ],
    [
      'the EST simulator',
      'est-',
      fuzzedEst,
      'GET /.well-known/est/cacerts HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
      '200',
    ],
  ] as const)('%s', (_name, start, open, good, status) => {
    let server: FuzzedServer;
    beforeAll(async () => {
      server = await open();
    });
    afterAll(() => server.close());

    it(
      'answers any bytes with HTTP or with nothing, and goes on',
      async () => {
        await fuzz(seedsOf('http', start), { words: HTTP_WORDS, runs: 80 * scale }, (bytes) =>
          checkHttp(server, bytes),
        );
        assert.match(await server.send(Buffer.from(good)), new RegExp(`^HTTP/1\\.1 ${status} `));
      },
      timeout,
    );
  });
}
