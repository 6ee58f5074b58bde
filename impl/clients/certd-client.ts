import { ClientError, createUnixClient } from '../ipc/index.ts';
import type { Clock } from '../process/index.ts';

const VERSION = { 'api-version': '2020-09-01' } as const;
/** An EST enrolment may take long; certd keeps its callers within this. */
const ISSUE_TIMEOUT_MS = 90_000;

/** certd's API (spec/certificates-service.md 3). Every call throws {@link ClientError}. */
export interface CertdClient {
  /** The PEM text as stored, leaf first. An unknown id is a refusal that {@link isAbsent} recognises. */
  get(certId: string): Promise<string>;
  /** Issues for the CSR (PEM text) and stores under the id; answers the stored chain, leaf first. */
  create(
    certId: string,
    csr: string,
    issuer?: { readonly certId: string; readonly privateKeyHandle: string },
  ): Promise<string>;
  /** Stores this PEM text under the id. */
  import(certId: string, pem: string): Promise<void>;
  /** Removes the certificate; one that is not there is fine. */
  delete(certId: string): Promise<void>;
  close(): Promise<void>;
}

/** True only where the daemon itself said that the id is unknown to it: an outage or a refusal says nothing about that. */
export function isAbsent(error: unknown): boolean {
  return error instanceof ClientError && error.kind === 'refused' && error.status === 400;
}

/** Makes a client of certd. `retries`: attempts after the first when there was no answer, 3 s apart. */
export function createCertdClient(options: {
  readonly socketPath: string;
  readonly retries?: number;
  readonly clock?: Clock;
}): CertdClient {
  const unix = createUnixClient({ ...options, authority: 'certd.sock' });
  const pathOf = (certId: string) => `/certificates/${encodeURIComponent(certId)}`;
  const pemOf = (answer: unknown): string => {
    const pem = (answer as { readonly pem?: unknown } | null | undefined)?.pem;
    if (typeof pem !== 'string') throw new ClientError('malformed', 'certd answered without a string "pem"');
    return pem;
  };
  return {
    get: async (certId) => pemOf(await unix.request({ method: 'GET', path: pathOf(certId), query: VERSION })),
    async create(certId, csr, issuer) {
      const body = issuer ? { certId, csr, issuer } : { certId, csr };
      const request = {
        method: 'POST',
        path: '/certificates',
        query: VERSION,
        body,
        timeoutMs: ISSUE_TIMEOUT_MS,
      } as const;
      return pemOf(await unix.request(request));
    },
    async import(certId, pem) {
      await unix.request({ method: 'PUT', path: pathOf(certId), query: VERSION, body: { pem } });
    },
    async delete(certId) {
      await unix.request({ method: 'DELETE', path: pathOf(certId), query: VERSION });
    },
    close: () => unix.close(),
  };
}
