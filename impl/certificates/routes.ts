import Type from 'typebox';
import { invalidParameter, plain, type Route, type ServiceApi, withBody } from '../ipc/index.ts';
import type { CertificateService, IdentityState } from './service.ts';

const ISSUER = Type.Object({ certId: Type.String(), privateKeyHandle: Type.String() });
const CREATE = Type.Object({
  certId: Type.String(),
  csr: Type.String(),
  issuer: Type.Optional(Type.Union([Type.Null(), ISSUER])),
});
/** A caller that wants to wait longer asks again. */
const LONGEST_WAIT_SECONDS = 300;
const IMPORT = Type.Object({ pem: Type.String() });

/** certd's HTTP API (spec/certificates-service.md 3). */
export function certdApi(service: CertificateService): ServiceApi {
  const collection: Route = {
    path: /^\/certificates$/,
    methods: {
      POST: withBody(CREATE, async ({ uid, body, signal }) => ({
        status: 201,
        body: { pem: await service.create(uid, body as Parameters<CertificateService['create']>[1], signal) },
      })),
    },
  };
  const item: Route = {
    path: /^\/certificates\/([^/]+)$/,
    methods: {
      GET: plain(async ({ params, query, signal }) => {
        const wait = readWait(query);
        const certId = params[0] ?? '';
        const pem = wait ? await service.awaitChange(certId, wait, signal) : await service.get(certId);
        return { status: 200, body: { pem } };
      }),
      PUT: withBody(IMPORT, async ({ uid, params, body }) => {
        await service.put(uid, params[0] ?? '', body.pem);
        return { status: 201, body: { pem: body.pem } };
      }),
      DELETE: plain(async ({ uid, params }) => {
        await service.remove(uid, params[0] ?? '');
        return { status: 204 };
      }),
    },
  };
  const renewals: Route = {
    path: /^\/renewals$/,
    methods: {
      GET: plain(async ({ uid }) => {
        const { identities, counters } = service.renewals(uid);
        return { status: 200, body: { identities: identities.map(identityBody), counters } };
      }),
    },
  };
  return { name: 'certd', versions: ['2020-09-01'], routes: [collection, item, renewals] };
}

/** Reads `wait` (whole seconds, 1 to 300) and `not` (hex SHA-256 of a leaf). Throws the 400 of either. */
function readWait(query: URLSearchParams): { readonly not: string | undefined; readonly waitMs: number } | undefined {
  const wait = query.get('wait');
  if (wait === null) return undefined;
  const seconds = /^\d{1,3}$/.test(wait) ? Number(wait) : 0;
  if (seconds < 1 || seconds > LONGEST_WAIT_SECONDS)
    throw invalidParameter('wait', `it is no whole number of seconds from 1 to ${LONGEST_WAIT_SECONDS}`);
  const not = query.get('not')?.toLowerCase();
  if (not !== undefined && !/^[0-9a-f]{64}$/.test(not))
    throw invalidParameter('not', 'it is no hex SHA-256 of a certificate');
  return { not, waitMs: seconds * 1000 };
}

const timeText = (milliseconds: number | undefined): string | null =>
  milliseconds === undefined ? null : new Date(milliseconds).toISOString();

/** The wire form of what is known about an identity: times in RFC 3339, null for what is not known or not planned. */
function identityBody(state: IdentityState) {
  const { validity, fingerprint } = state.holding ?? {};
  return {
    certId: state.cert,
    keyId: state.pk,
    fingerprint: fingerprint ?? null,
    notBefore: timeText(validity && validity.notBefore * 1000),
    notAfter: timeText(validity && validity.notAfter * 1000),
    nextAttempt: timeText(state.nextAttempt),
    rule: state.rule,
    attempts: state.attempts,
    renewals: state.renewals,
    lastAttempt: timeText(state.lastAttempt),
    lastError: state.lastError ?? null,
  };
}
