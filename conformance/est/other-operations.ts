import { createPrivateKey } from 'node:crypto';
import { group } from '../runner/index.ts';
import { enrol, send } from './client.ts';
import { expectStatus, expectThat, needed } from './expect.ts';
import { certificatesOf, makeRequest, opensslOn } from './openssl.ts';
import { estTarget } from './target.ts';

/** Content type (lower case) and decoded content of each part of a multipart body. */
function partsOf(contentType: string, body: string): Map<string, Buffer> {
  const boundary = /boundary="?([^";]+)"?/i.exec(contentType)?.[1];
  if (boundary === undefined) throw new Error(`expected a boundary, got ${contentType}`);
  const pieces = body.split(`--${boundary}`).slice(1, -1);
  return new Map(
    pieces.map((piece) => {
      const [head = '', text = ''] = piece.split('\r\n\r\n');
      const type = /^content-type: *([^;\r\n]+)/im.exec(head)?.[1]?.toLowerCase() ?? 'none';
      return [type, Buffer.from(text, 'base64')];
    }),
  );
}

export const otherOperations = group('EST csrattrs, serverkeygen, fullcmc', {
  'EST-048': [
    'csrattrs is 200 or 204, or 404 where it is not offered',
    'spec',
    async () => {
      expectStatus(await send(await estTarget(), { operation: 'csrattrs' }), 200, 204, 404);
    },
  ],
  'ESTS-070': [
    'csrattrs that says something is application/csrattrs with the base64 of a SEQUENCE (RFC 7030 4.5.2)',
    'spec',
    async (context) => {
      const target = await estTarget();
      const { label } = needed(context, target.attributes, 'attributes');
      const answer = expectStatus(await send(target, { operation: `${label}/csrattrs` }), 200);
      const type = answer.headers['content-type'] ?? 'none';
      expectThat('application/csrattrs', /^application\/csrattrs$/i.test(type), type);
      const printed = await opensslOn(Buffer.from(answer.body, 'base64'), (file) => [
        'asn1parse',
        '-inform',
        'DER',
        '-in',
        file,
      ]);
      expectThat('a SEQUENCE of identifiers or attributes', /^ +0:d=0 .*SEQUENCE/.test(printed), printed);
      expectThat('an OBJECT in it', printed.includes('OBJECT'), printed);
    },
  ],
  'ESTS-071': [
    'serverkeygen gives a PKCS#8 key and the certificate for it, or 404 or 501 (RFC 7030 4.4.2)',
    'spec',
    async (context) => {
      const target = await estTarget();
      const basic = needed(context, target.basic, 'basic');
      const answer = await enrol(target, (await makeRequest()).der, { operation: 'serverkeygen', basic });
      if (answer.status === 404 || answer.status === 501) context.skip('serverkeygen is not offered');
      expectStatus(answer, 200);
      const type = answer.headers['content-type'] ?? 'none';
      expectThat('multipart/mixed', type.toLowerCase().startsWith('multipart/mixed'), type);
      const parts = partsOf(type, answer.body);
      const key = createPrivateKey({
        key: parts.get('application/pkcs8') ?? Buffer.alloc(0),
        format: 'der',
        type: 'pkcs8',
      });
      const certificates = parts.get('application/pkcs7-mime') ?? Buffer.alloc(0);
      const [leaf] = await certificatesOf(certificates.toString('base64'));
      expectThat('a certificate for the key', leaf?.checkPrivateKey(key) === true, leaf?.subject);
    },
  ],
  'ESTS-072': [
    'fullcmc that is not offered is 501 or 404 with a text (RFC 7030 4.3)',
    'spec',
    async (context) => {
      const target = await estTarget();
      const basic = needed(context, target.basic, 'basic');
      const headers = { 'content-type': 'application/pkcs7-mime; smime-type=CMC-request' };
      const answer = await send(target, { operation: 'fullcmc', body: 'AA==', basic, headers });
      expectThat('400, 404 or 501', [400, 404, 501].includes(answer.status), answer.status);
      expectThat('a typed body', answer.headers['content-type'] !== undefined, JSON.stringify(answer.headers));
    },
  ],
});
