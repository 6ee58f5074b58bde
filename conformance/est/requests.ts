import { type Context, group } from '../runner/index.ts';
import { type EstAnswer, enrol, send } from './client.ts';
import { expectRefused, expectStatus, expectThat, leafOf, needed } from './expect.ts';
import { makeRequest } from './openssl.ts';
import { estTarget } from './target.ts';

const LARGE_BYTES = 4 * 1024 * 1024;

/** Posts a body by password as simpleenroll. */
async function posted(
  context: Context,
  body: string | Buffer,
  headers: Readonly<Record<string, string>> = {},
): Promise<EstAnswer> {
  const target = await estTarget();
  const basic = needed(context, target.basic, 'basic');
  const type = { 'content-type': 'application/pkcs10' };
  return send(target, { operation: 'simpleenroll', basic, body, headers: { ...type, ...headers } });
}

/** The body is refused as the caller's fault, and the next good one is not. */
async function refusedThenFine(context: Context, body: string | Buffer): Promise<void> {
  expectRefused(await posted(context, body));
  expectStatus(await posted(context, (await makeRequest()).der.toString('base64')), 200);
}

export const requests = group('EST requests', {
  'ESTS-030': [
    'base64 in lines of 64 or 76 with LF or CRLF, one character a line, and without any break is taken (RFC 8951 3.1)',
    'spec',
    async (context) => {
      const text = (await makeRequest()).der.toString('base64');
      for (const [length, end] of [
        [64, '\n'],
        [64, '\r\n'],
        [76, '\r\n'],
        [1, '\n'],
        [text.length, ''],
      ] as const) {
        const body = text.replace(new RegExp(`.{1,${length}}`, 'g'), (line) => line + end);
        expectStatus(await posted(context, body), 200);
      }
    },
  ],
  'ESTS-031': [
    'Content-Transfer-Encoding is not looked at (RFC 8951 3.1)',
    'spec',
    async (context) => {
      const text = (await makeRequest()).der.toString('base64');
      for (const value of ['base64', 'binary', 'nonsense'])
        expectStatus(await posted(context, text, { 'content-transfer-encoding': value }), 200);
      expectStatus(await posted(context, text), 200);
    },
  ],
  'ESTS-032': [
    'the content type is read in any case and with parameters (RFC 9110 8.3.1)',
    'spec',
    async (context) => {
      const text = (await makeRequest()).der.toString('base64');
      for (const type of ['Application/PKCS10', 'application/pkcs10; charset=us-ascii'])
        expectStatus(await posted(context, text, { 'content-type': type }), 200);
    },
  ],
  'ESTS-033': [
    'another content type is 415 or 400',
    'spec',
    async (context) => {
      const text = (await makeRequest()).der.toString('base64');
      expectStatus(await posted(context, text, { 'content-type': 'application/json' }), 415, 400);
    },
  ],
  'ESTS-034': [
    'no base64, base64 of something else, and an empty body are refused',
    'spec',
    async (context) => {
      for (const body of ['*not base64*', Buffer.from('hello').toString('base64'), ''])
        await refusedThenFine(context, body);
    },
  ],
  'ESTS-035': [
    'a signature that does not verify is refused (RFC 7030 3.4)',
    'spec',
    async (context) => {
      const { der } = await makeRequest();
      der[der.length - 3] = (der.at(-3) ?? 0) ^ 1;
      await refusedThenFine(context, der.toString('base64'));
    },
  ],
  'ESTS-036': [
    'a name that was changed after signing is refused',
    'spec',
    async (context) => {
      const { der } = await makeRequest({ subject: 'TEST dev-01' });
      const at = der.indexOf('dev-01');
      der[at + 5] = '2'.charCodeAt(0);
      await refusedThenFine(context, der.toString('base64'));
    },
  ],
  'ESTS-037': [
    'RSA with 1024 bits and SHA-1 are refused',
    'inferred',
    async (context) => {
      await refusedThenFine(context, (await makeRequest({ newKey: ['rsa:1024'] })).der.toString('base64'));
      await refusedThenFine(context, (await makeRequest({ digest: 'sha1' })).der.toString('base64'));
    },
  ],
  'ESTS-038': [
    'a request that is cut at any of 40 places is refused, never an error of the server',
    'spec',
    async (context) => {
      const { der } = await makeRequest();
      for (let n = 0; n < 40; n++) {
        const end = Math.floor((der.length * n) / 40);
        expectRefused(await posted(context, der.subarray(0, end).toString('base64')));
      }
    },
  ],
  'ESTS-039': [
    'a body of 4 MiB is refused, and the server lives',
    'inferred',
    async (context) => {
      // a server may hang up before it has read all of it
      const answer = await posted(context, 'A'.repeat(LARGE_BYTES)).catch(() => undefined);
      if (answer) expectRefused(answer);
      expectStatus(await posted(context, (await makeRequest()).der.toString('base64')), 200);
    },
  ],
  'ESTS-040': [
    'a refusal is a short text for people (RFC 7030 4.2.3)',
    'spec',
    async (context) => {
      const { headers, body } = expectRefused(await posted(context, 'x'));
      expectThat(
        'a content type of text',
        (headers['content-type'] ?? '').startsWith('text/'),
        headers['content-type'],
      );
      expectThat('some words', body.trim().length > 5 && body.length < 2000, body);
    },
  ],
  'ESTS-041': [
    'an operation that is none is 404; GET of simpleenroll and POST of cacerts are 405 or 404',
    'spec',
    async () => {
      const target = await estTarget();
      expectStatus(await send(target, { operation: 'nosuch' }), 404);
      expectStatus(await send(target, { operation: 'simpleenroll' }), 405, 404);
      expectStatus(await send(target, { operation: 'cacerts', body: 'x' }), 405, 404);
    },
  ],
  'ESTS-042': [
    'an operation is no label (RFC 7030 3.2.2)',
    'spec',
    async () => {
      expectStatus(await send(await estTarget(), { operation: 'simpleenroll/cacerts' }), 404);
    },
  ],
  'ESTS-043': [
    'many enrolments at once all succeed',
    'inferred',
    async (context) => {
      const target = await estTarget();
      const basic = needed(context, target.basic, 'basic');
      const { der } = await makeRequest();
      const answers = await Promise.all(Array.from({ length: 30 }, () => enrol(target, der, { basic })));
      const serials = await Promise.all(answers.map(async (answer) => (await leafOf(answer)).serialNumber));
      expectThat('30 serial numbers', new Set(serials).size === 30, serials);
    },
  ],
});
