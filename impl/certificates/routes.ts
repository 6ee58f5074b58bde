import Type from 'typebox';
import { plain, type Route, type ServiceApi, withBody } from '../ipc/index.ts';
import type { CertificateService } from './service.ts';

const ISSUER = Type.Object({ certId: Type.String(), privateKeyHandle: Type.String() });
const CREATE = Type.Object({
  certId: Type.String(),
  csr: Type.String(),
  issuer: Type.Optional(Type.Union([Type.Null(), ISSUER])),
});
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
      GET: plain(async ({ params }) => ({ status: 200, body: { pem: await service.get(params[0] ?? '') } })),
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
  return { name: 'certd', versions: ['2020-09-01'], routes: [collection, item] };
}
