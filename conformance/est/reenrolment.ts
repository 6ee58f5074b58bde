import { createPublicKey } from 'node:crypto';
import { type Context, group } from '../runner/index.ts';
import { type EstAnswer, enrol } from './client.ts';
import { expectRefused, expectThat, leafOf, needed } from './expect.ts';
import { filesIn, type MadeRequest, makeRequest, type RequestWish, withFolder } from './openssl.ts';
import { type CertificateFiles, type EstTarget, estTarget } from './target.ts';

const SAN = ['subjectAltName = DNS:dev-01.test'];

interface Held {
  readonly target: EstTarget;
  readonly request: MadeRequest;
  readonly client: CertificateFiles;
  /** What simplereenroll answers to who shows the certificate. */
  reenrol(wish: RequestWish): Promise<EstAnswer>;
}

/** Enrols by password a certificate for `TEST dev-01`, and works with it. */
async function holding<T>(context: Context, work: (held: Held) => Promise<T>): Promise<T> {
  const target = await estTarget();
  const basic = needed(context, target.basic, 'basic');
  const request = await makeRequest({ subject: 'TEST dev-01', extensions: SAN });
  const leaf = await leafOf(await enrol(target, request.der, { basic }));
  return withFolder(async (folder) => {
    const client = await filesIn(folder, leaf, request.keyPem);
    const reenrol = async (wish: RequestWish) => {
      const { der } = await makeRequest({ subject: 'TEST dev-01', extensions: SAN, ...wish });
      return enrol(target, der, { operation: 'simplereenroll', client });
    };
    return work({ target, request, client, reenrol });
  });
}

export const reenrolment = group('EST simplereenroll', {
  'ESTS-060': [
    'renews: the same names and the same key give a new certificate (RFC 7030 4.2.2)',
    'spec',
    (context) =>
      holding(context, async ({ request, reenrol }) => {
        const leaf = await leafOf(await reenrol({ keyPem: request.keyPem }));
        expectThat('the same key', leaf.publicKey.equals(createPublicKey(request.keyPem)), leaf.publicKey);
      }),
  ],
  'ESTS-061': [
    'rekeys: the same names with a new key give a certificate for that key',
    'spec',
    (context) =>
      holding(context, async ({ request, reenrol }) => {
        const leaf = await leafOf(await reenrol({}));
        expectThat('the new key', !leaf.publicKey.equals(createPublicKey(request.keyPem)), leaf.publicKey);
      }),
  ],
  'EST-049': [
    'a subject that is not that of the client certificate is refused',
    'spec',
    (context) => holding(context, async ({ reenrol }) => void expectRefused(await reenrol({ subject: 'TEST dev-02' }))),
  ],
  'ESTS-062': [
    'so is another subjectAltName, and none where there was one',
    'spec',
    (context) =>
      holding(context, async ({ reenrol }) => {
        expectRefused(await reenrol({ extensions: ['subjectAltName = DNS:other.test'] }));
        expectRefused(await reenrol({ extensions: [] }));
      }),
  ],
  'ESTS-063': [
    'who shows no certificate cannot re-enrol, not even by password',
    'inferred',
    async (context) => {
      const target = await estTarget();
      const basic = needed(context, target.basic, 'basic');
      const { der } = await makeRequest();
      expectRefused(await enrol(target, der, { operation: 'simplereenroll', basic }));
    },
  ],
  'ESTS-064': [
    'what was renewed can renew again',
    'spec',
    (context) =>
      holding(context, async ({ target, request, client, reenrol }) => {
        const leaf = await leafOf(await reenrol({ keyPem: request.keyPem }));
        await withFolder(async (folder) => {
          const renewed = await filesIn(folder, leaf, request.keyPem);
          const operation = 'simplereenroll';
          await leafOf(await enrol(target, request.der, { operation, client: renewed }));
          // the one before is valid still
          await leafOf(await enrol(target, request.der, { operation, client }));
        });
      }),
  ],
});
