import { createPublicKey, type X509Certificate } from 'node:crypto';
import { type Context, group } from '../runner/index.ts';
import { enrol } from './client.ts';
import { expectStatus, expectThat, leafOf, needed } from './expect.ts';
import { certificatesOf, certificateText, makeRequest, opensslOn, type RequestWish } from './openssl.ts';
import { estTarget } from './target.ts';

/** Enrols by password and gives answer, request and leaf. */
async function enrolled(context: Context, wish: RequestWish = {}) {
  const target = await estTarget();
  const basic = needed(context, target.basic, 'basic');
  const request = await makeRequest(wish);
  const answer = await enrol(target, request.der, { basic });
  return { answer, request, leaf: await leafOf(answer) };
}

const textOf = async (context: Context, wish: RequestWish): Promise<string> =>
  certificateText((await enrolled(context, wish)).leaf);

const purposesOf = (leaf: X509Certificate): readonly string[] => leaf.keyUsage ?? [];

export const enrolment = group('EST simpleenroll', {
  'ESTS-010': [
    'the answer is 200 with application/pkcs7-mime; smime-type=certs-only (RFC 7030 4.2.3)',
    'spec',
    async (context) => {
      const { answer } = await enrolled(context);
      const type = answer.headers['content-type'] ?? 'none';
      expectThat('certs-only', /^application\/pkcs7-mime; *smime-type=certs-only$/i.test(type), type);
    },
  ],
  'ESTS-011': [
    'it holds the issued certificate and no other (RFC 7030 4.2.3)',
    'spec',
    async (context) => {
      const { answer } = await enrolled(context);
      expectThat('one certificate', (await certificatesOf(answer.body)).length === 1, answer.body);
    },
  ],
  'ESTS-012': [
    'its public key is that of the request, for P-256, P-384 and RSA-2048',
    'spec',
    async (context) => {
      for (const newKey of [
        ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
        ['ec', '-pkeyopt', 'ec_paramgen_curve:P-384'],
        ['rsa:2048'],
      ]) {
        const { leaf, request } = await enrolled(context, { newKey });
        const asked = createPublicKey(request.keyPem);
        expectThat(`the key of the request (${newKey.at(-1)})`, leaf.publicKey.equals(asked), leaf.publicKey);
      }
    },
  ],
  'ESTS-013': [
    'its subject has the common name of the request, also beyond ASCII',
    'spec',
    async (context) => {
      const { leaf } = await enrolled(context, { subject: 'TEST Gerät 01' });
      const names = [leaf.toLegacyObject().subject.CN].flat();
      expectThat('TEST Gerät 01', names.includes('TEST Gerät 01'), names);
    },
  ],
  'ESTS-014': [
    'serial numbers are positive, at most 20 octets, and never the same twice (RFC 5280 4.1.2.2)',
    'spec',
    async (context) => {
      const serials = [];
      for (let n = 0; n < 3; n++) serials.push((await enrolled(context)).leaf.serialNumber);
      expectThat('three serial numbers', new Set(serials).size === 3, serials);
      for (const serial of serials)
        expectThat('at most 20 octets, above 0', /^(?!0+$)[0-9A-F]{1,40}$/.test(serial), serial);
    },
  ],
  'ESTS-015': [
    'it has a subject key identifier, and the authority key identifier of its issuer (RFC 5280 4.2.1)',
    'spec',
    async (context) => {
      const text = await textOf(context, {});
      expectThat('subject key identifier', /Subject Key Identifier:/.test(text), text);
      expectThat('authority key identifier', /Authority Key Identifier:/.test(text), text);
    },
  ],
  'ESTS-016': [
    'subjectAltName of the request is kept',
    'spec',
    async (context) => {
      const { leaf } = await enrolled(context, { extensions: ['subjectAltName = DNS:dev-01.test, IP:192.0.2.1'] });
      const names = leaf.subjectAltName ?? 'none';
      expectThat('both names', names.includes('DNS:dev-01.test') && names.includes('192.0.2.1'), names);
    },
  ],
  'ESTS-017': [
    'extKeyUsage of the request is kept where it is allowed: clientAuth',
    'inferred',
    async (context) => {
      const { leaf } = await enrolled(context, { extensions: ['extendedKeyUsage = clientAuth'] });
      expectThat('clientAuth', purposesOf(leaf).includes('1.3.6.1.5.5.7.3.2'), purposesOf(leaf));
    },
  ],
  'ESTS-018': [
    'who asks for an authority does not become one',
    'spec',
    async (context) => {
      const target = await estTarget();
      const basic = needed(context, target.basic, 'basic');
      const extensions = ['basicConstraints = critical, CA:TRUE', 'keyUsage = critical, keyCertSign, cRLSign'];
      const answer = await enrol(target, (await makeRequest({ extensions })).der, { basic });
      if (answer.status === 400 || answer.status === 403) return;
      const text = await certificateText(await leafOf(answer));
      expectThat('no authority', !/CA:TRUE|Certificate Sign/.test(text), text);
    },
  ],
  'ESTS-019': [
    'it is valid now and not longer than its issuer',
    'spec',
    async (context) => {
      const { leaf } = await enrolled(context);
      const now = Date.now();
      // a clock some seconds behind is forgiven
      expectThat('a begin that is past', leaf.validFromDate.getTime() <= now + 5000, leaf.validFrom);
      expectThat('an end to come', leaf.validToDate.getTime() > now, leaf.validTo);
    },
  ],
  'ESTS-020': [
    'a label before the operation is served (RFC 7030 3.2.2)',
    'spec',
    async (context) => {
      const target = await estTarget();
      const basic = needed(context, target.basic, 'basic');
      const label = needed(context, target.label, 'label');
      await leafOf(await enrol(target, (await makeRequest()).der, { basic, operation: `${label}/simpleenroll` }));
    },
  ],
  'ESTS-021': [
    'the same request twice gives two certificates, or is refused, and is never an error of the server',
    'inferred',
    async (context) => {
      const target = await estTarget();
      const basic = needed(context, target.basic, 'basic');
      const { der } = await makeRequest();
      expectStatus(await enrol(target, der, { basic }), 200);
      const again = await enrol(target, der, { basic });
      expectThat('200 or 4xx', again.status === 200 || (again.status >= 400 && again.status < 500), again.status);
    },
  ],
  'ESTS-022': [
    '202 carries Retry-After, and the same request succeeds later (RFC 7030 4.2.3)',
    'spec',
    async (context) => {
      const target = await estTarget();
      const basic = needed(context, target.basic, 'basic');
      const { label } = needed(context, target.pending, 'pending');
      const { der } = await makeRequest();
      const wish = { basic, operation: `${label}/simpleenroll` };
      const first = expectStatus(await enrol(target, der, wish), 202);
      const after = first.headers['retry-after'] ?? 'none';
      expectThat('Retry-After', /^\d+$/.test(after) || Number.isFinite(Date.parse(after)), after);
      const wait = /^\d+$/.test(after) ? Number(after) * 1000 : Date.parse(after) - Date.now();
      await new Promise((done) => setTimeout(done, Math.min(Math.max(wait, 0), 10_000)));
      await leafOf(await enrol(target, der, wish));
    },
  ],
  'ESTS-023': [
    'the message is DER: definite, shortest lengths',
    'spec',
    async (context) => {
      const { answer } = await enrolled(context);
      const bytes = Buffer.from(answer.body, 'base64');
      const again = await opensslOn(bytes, (file) => ['pkcs7', '-inform', 'DER', '-in', file, '-outform', 'PEM']);
      const reread = Buffer.from(again.replace(/-----[^-]+-----|\s/g, ''), 'base64');
      expectThat('what openssl writes for it', reread.equals(bytes), bytes.toString('hex'));
    },
  ],
});
