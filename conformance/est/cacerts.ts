import type { X509Certificate } from 'node:crypto';
import { group } from '../runner/index.ts';
import { enrol, send } from './client.ts';
import { expectStatus, expectThat, leafOf, needed } from './expect.ts';
import { certificatesOf, makeRequest, opensslOn, verifyLeaf } from './openssl.ts';
import { estTarget } from './target.ts';

const fetched = async () => send(await estTarget(), { operation: 'cacerts' });
const selfSigned = (certificate: X509Certificate) => certificate.checkIssued(certificate);

export const cacerts = group('EST cacerts', {
  'ESTS-001': [
    'cacerts is given to who shows no credential (RFC 7030 4.1.2)',
    'spec',
    async () => {
      expectStatus(await fetched(), 200);
    },
  ],
  'ESTS-002': [
    'its content type is application/pkcs7-mime, certs-only where it says more (RFC 7030 4.1.3)',
    'spec',
    async () => {
      const { headers } = await fetched();
      const type = headers['content-type'] ?? 'none';
      expectThat('application/pkcs7-mime', /^application\/pkcs7-mime(; *smime-type=certs-only)?$/i.test(type), type);
    },
  ],
  'ESTS-003': [
    'its body is base64, and nothing around it (RFC 8951 3.1)',
    'spec',
    async () => {
      const { body } = await fetched();
      const text = body.replace(/[\r\n]/g, '');
      expectThat('base64', Buffer.from(text, 'base64').toString('base64') === text, body);
    },
  ],
  'ESTS-004': [
    'it is signedData without content and signers (RFC 5272 4.1), readable by openssl cms',
    'spec',
    async () => {
      const bytes = Buffer.from((await fetched()).body, 'base64');
      const printed = await opensslOn(bytes, (file) => [
        'cms',
        '-cmsout',
        '-print',
        '-noout',
        '-inform',
        'DER',
        '-in',
        file,
      ]);
      expectThat('signedData', printed.includes('pkcs7-signedData'), printed);
      expectThat('no content', /eContent: <ABSENT>/.test(printed), printed);
      expectThat('no signers', /signerInfos:\s+<EMPTY>/.test(printed), printed);
    },
  ],
  'ESTS-005': [
    'it holds a root, and every other certificate is issued by one of it (RFC 7030 4.1.3)',
    'spec',
    async () => {
      const all = await certificatesOf((await fetched()).body);
      expectThat(
        'a self-signed certificate',
        all.some(selfSigned),
        all.map(({ subject }) => subject),
      );
      for (const one of all)
        expectThat(
          `an issuer of ${one.subject}`,
          all.some((other) => one.checkIssued(other) && one.verify(other.publicKey)),
          all.map(({ subject }) => subject),
        );
    },
  ],
  'ESTS-006': [
    'what is enrolled verifies by what cacerts gives',
    'spec',
    async (context) => {
      const target = await estTarget();
      const basic = needed(context, target.basic, 'basic');
      const leaf = await leafOf(await enrol(target, (await makeRequest()).der, { basic }));
      await verifyLeaf(leaf, await certificatesOf((await fetched()).body));
    },
  ],
  'ESTS-007': [
    'credentials that are wrong do not close cacerts',
    'inferred',
    async () => {
      const basic = { username: 'nobody', password: 'wrong' };
      expectStatus(await send(await estTarget(), { operation: 'cacerts', basic }), 200);
    },
  ],
});
