import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { CA, DAY_MS, type Holder, issueHolder, newKey, pemOf, privatePem, utf8Name } from '../est-client/index.ts';
import type { World } from '../runner/index.ts';

const run = promisify(execFile);
const A_YEAR = { fromMs: -60_000, toMs: 365 * DAY_MS };

/** Key pairs of keyd whose certificates sign or are signed here, by id. */
const AUTHORITIES = ['ca', 'ca384', 'ca-rsa', 'ca-noski', 'ca10', 'ca-old'] as const;
type AuthorityId = (typeof AUTHORITIES)[number];

/** Requests for a key that is in keyd too, by exchange: the id of the key, and what OpenSSL is told of the request. */
const OWN_REQUESTS: Readonly<Record<string, readonly [key: string, subject: string, extension?: string]>> = {
  'self-signed': ['self-p256', '/CN=self/O=x'],
  'self-signed-rsa': ['self-rsa', '/CN=from the csr/O=Test'],
  'self-signed-10000-days': ['self-long', '/CN=from the csr/O=Test'],
  'self-signed-max-days': ['self-max', '/CN=from the csr/O=Test'],
  'csr-own-ski-self': [
    'self-p256',
    '/CN=from the csr/O=Test',
    'subjectKeyIdentifier=critical,DER:0414'.concat('01'.repeat(20)),
  ],
};
/** Exchanges whose request is for a key of keyd. */
export const OWN_REQUESTS_OF: readonly string[] = Object.keys(OWN_REQUESTS);
/** Ids under which the recording stores a text that is made anew here. */
export const AUTHORITY_TEXTS = [
  ...AUTHORITIES.filter((id) => id !== 'ca'),
  'local-ca',
  'ca-text',
  'ca-damaged',
] as const;
const SELF_KEYS = {
  'self-p256': 'ec',
  'self-rsa': 'rsa',
  'self-long': 'ec',
  'self-max': 'ec',
  'self-mismatch': 'ec',
} as const;

/** What stands in place of certificates and requests of the recording, whose private keys are in no file. */
export interface GoldenAuthorities {
  /** Ids of the key pairs, and their PKCS#8 PEM files below the world's folder. */
  readonly keys: Readonly<Record<string, string>>;
  /** Text of the certificate that a recorded PUT stores, by its id. */
  readonly texts: Readonly<Record<(typeof AUTHORITY_TEXTS)[number], string>>;
  /** PEM of a request, by exchange. */
  readonly requests: Readonly<Record<string, string>>;
}

async function holders(): Promise<{ readonly root: Holder } & Readonly<Record<AuthorityId, Holder>>> {
  const named = (...parts: Readonly<Record<string, string>>[]) => ({
    subject: utf8Name(parts),
    extensions: CA,
    ...A_YEAR,
  });
  const root = await issueHolder(named({ CN: 'root CA' }));
  return {
    root,
    ca: await issueHolder(named({ O: 'Test' }, { CN: 'local CA' }), root),
    ca384: await issueHolder(named({ CN: 'P-384 CA' }), undefined, 'p384'),
    'ca-rsa': await issueHolder(named({ CN: 'RSA CA' }), undefined, 'rsa'),
    'ca-noski': await issueHolder({ ...named({ CN: 'no SKI CA' }), identifiers: 'absent' }),
    ca10: await issueHolder({ ...named({ CN: 'ten days CA' }), toMs: 10 * DAY_MS }),
    'ca-old': await issueHolder({ ...named({ CN: 'expired CA' }), fromMs: -2 * DAY_MS, toMs: -DAY_MS }),
  };
}

/** Makes them: keys below `pre/keys`, certificates and requests in memory. */
export async function makeGoldenAuthorities(world: World): Promise<GoldenAuthorities> {
  const made = await holders();
  const keys: Record<string, string> = {};
  const keep = async (id: string, holder: Pick<Holder, 'privateKey'>) => {
    keys[id] = await world.file(`pre/keys/${id}.pem`, privatePem(holder), 0o600);
  };
  for (const id of AUTHORITIES) await keep(id, made[id]);
  for (const [id, kind] of Object.entries(SELF_KEYS)) await keep(id, newKey(kind));
  const requests: Record<string, string> = {};
  for (const [exchange, [key, subject, extension]] of Object.entries(OWN_REQUESTS)) {
    const more = extension === undefined ? [] : ['-addext', extension];
    const args = ['req', '-new', '-utf8', '-sha256', '-key', keys[key] ?? '', '-subj', subject, ...more];
    requests[exchange] = (await run('openssl', args)).stdout;
  }
  const pem = (id: AuthorityId, ...more: readonly Holder[]) =>
    pemOf(...[made[id], ...more].map((each) => each.certificate));
  const local = pem('ca');
  return {
    keys,
    requests,
    texts: {
      'local-ca': pem('ca', made.root),
      ca384: pem('ca384'),
      'ca-rsa': pem('ca-rsa'),
      'ca-noski': pem('ca-noski'),
      ca10: pem('ca10'),
      'ca-old': pem('ca-old'),
      'ca-text': `some words\n${local.replaceAll('\n', '\r\n')}more words\n${local}`,
      'ca-damaged': `${local.slice(0, 200)}!!!${local.slice(203)}`,
    },
  };
}
