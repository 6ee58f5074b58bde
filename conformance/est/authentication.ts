import { createHash, randomBytes } from 'node:crypto';
import { type Context, group } from '../runner/index.ts';
import { type EstRequest, enrol, send } from './client.ts';
import { expectStatus, expectThat, leafOf, needed } from './expect.ts';
import { makeRequest, strangerIn, withFolder } from './openssl.ts';
import { estTarget, type Password } from './target.ts';

async function attempt(more: Pick<EstRequest, 'basic' | 'client' | 'headers'>) {
  return enrol(await estTarget(), (await makeRequest()).der, more);
}

/** A member of a challenge: `name="value"` or `name=value`. */
const memberOf = (challenge: string, name: string): string =>
  new RegExp(`${name}="?([^",]+)"?`, 'i').exec(challenge)?.[1] ?? '';

/** An answer to a digest challenge with qop auth (RFC 7616 3.4). */
function digestHeader(challenge: string, { username, password }: Password, path: string): string {
  const algorithm = memberOf(challenge, 'algorithm') || 'MD5';
  const hash = (text: string) =>
    createHash(algorithm.toUpperCase().startsWith('SHA-256') ? 'sha256' : 'md5')
      .update(text)
      .digest('hex');
  const [realm, nonce] = [memberOf(challenge, 'realm'), memberOf(challenge, 'nonce')];
  const cnonce = randomBytes(8).toString('hex');
  const user = hash(`${username}:${realm}:${password}`);
  const response = hash(`${user}:${nonce}:00000001:${cnonce}:auth:${hash(`POST:${path}`)}`);
  return `Digest username="${username}", realm="${realm}", nonce="${nonce}", uri="${path}", qop=auth, nc=00000001, cnonce="${cnonce}", response="${response}", algorithm=${algorithm}`;
}

/** Asks for a challenge, answers it with this password, and gives both requests' outcome. */
async function digestExchange(context: Context, change: Partial<Password> = {}) {
  const target = await estTarget();
  const digest = needed(context, target.digest, 'digest');
  const operation = digest.label === undefined ? 'simpleenroll' : `${digest.label}/simpleenroll`;
  const { der } = await makeRequest();
  const first = expectStatus(await enrol(target, der, { operation }), 401);
  const challenge = first.headers['www-authenticate'] ?? '';
  expectThat('a Digest challenge with qop auth', /Digest .*qop="?[^"]*auth/i.test(challenge), challenge);
  const path = new URL(`${target.url}/${operation}`).pathname;
  const authorization = digestHeader(challenge, { ...digest, ...change }, path);
  const again = () => enrol(target, der, { operation, headers: { authorization } });
  return { answer: await again(), again };
}

export const authentication = group('EST authentication', {
  'ESTS-050': [
    'who shows nothing is 401 with a challenge, or 403 (RFC 7030 3.2.3)',
    'spec',
    async (context) => {
      const target = await estTarget();
      const answer = expectStatus(await attempt({}), 401, 403);
      if (target.basic) expectStatus(answer, 401);
      else context.skip('the description of the server has no "basic"');
      const challenge = answer.headers['www-authenticate'] ?? 'none';
      expectThat('a Basic challenge with a realm', /Basic realm="/i.test(challenge), challenge);
    },
  ],
  'ESTS-051': [
    'the right password enrols at the first request, without a challenge',
    'spec',
    async (context) => {
      const basic = needed(context, (await estTarget()).basic, 'basic');
      await leafOf(await attempt({ basic }));
    },
  ],
  'ESTS-052': [
    'a wrong password, an unknown user, a damaged header and an empty one are 401',
    'spec',
    async (context) => {
      const basic = needed(context, (await estTarget()).basic, 'basic');
      expectStatus(await attempt({ basic: { ...basic, password: `${basic.password}x` } }), 401);
      expectStatus(await attempt({ basic: { ...basic, username: 'nobody' } }), 401);
      for (const authorization of ['Basic', 'Basic ***', 'Bearer x', 'Digest x', 'Digest username="a"'])
        expectStatus(await attempt({ headers: { authorization } }), 401);
    },
  ],
  'ESTS-053': [
    'digest: the answer to a challenge enrols (RFC 7616)',
    'spec',
    async (context) => {
      await leafOf((await digestExchange(context)).answer);
    },
  ],
  'ESTS-054': [
    'digest: a wrong password is 401, and an answer is not taken twice (RFC 7616 5.4)',
    'spec',
    async (context) => {
      expectStatus((await digestExchange(context, { password: 'wrong' })).answer, 401);
      const { answer, again } = await digestExchange(context);
      expectStatus(answer, 200);
      expectStatus(await again(), 401);
    },
  ],
  'ESTS-055': [
    'a client certificate of an accepted authority enrols (RFC 7030 3.3.2)',
    'spec',
    async (context) => {
      const client = needed(context, (await estTarget()).client, 'client');
      await leafOf(await attempt({ client }));
    },
  ],
  'ESTS-056': [
    'a client certificate of a stranger does not',
    'spec',
    async () => {
      const answer = await withFolder(async (folder) => {
        const client = await strangerIn(folder);
        // a refused handshake is a refusal too
        return attempt({ client }).catch(() => undefined);
      });
      if (answer) expectStatus(answer, 401, 403);
    },
  ],
  'EST-050': [
    'an expired client certificate is refused',
    'spec',
    async (context) => {
      const client = needed(context, (await estTarget()).expired, 'expired');
      const answer = await attempt({ client }).catch(() => undefined);
      if (answer) expectStatus(answer, 401, 403);
    },
  ],
  'ESTS-057': [
    'every enrolling operation asks who it is: simplereenroll, serverkeygen, fullcmc',
    'spec',
    async () => {
      const target = await estTarget();
      const { der } = await makeRequest();
      for (const operation of ['simplereenroll', 'serverkeygen'])
        expectStatus(await enrol(target, der, { operation }), 401, 403, 404, 501);
      const headers = { 'content-type': 'application/pkcs7-mime; smime-type=CMC-request' };
      expectStatus(await send(target, { operation: 'fullcmc', body: 'AA==', headers }), 401, 403, 404, 501);
    },
  ],
});
