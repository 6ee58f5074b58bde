import type { DpsTpm, SignToken } from '../cloud/index.ts';
import { ClientError, createUnixClient, decodeBase64, isBase64 } from '../ipc/index.ts';

const QUERY = { 'api-version': '2020-09-01' } as const;

/** tpmd's API as far as identityd uses it (spec/tpm-service.md 1). Every call throws ClientError. */
export interface TpmdClient extends DpsTpm {
  readonly sign: SignToken;
  close(): Promise<void>;
}

function member(answer: unknown, name: string): Buffer {
  const value = (answer as Readonly<Record<string, unknown>> | null | undefined)?.[name];
  if (typeof value === 'string' && isBase64(value)) return decodeBase64(value);
  throw new ClientError('malformed', `tpmd answered without base64 "${name}"`);
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/** Makes a client of tpmd; it is asked once, without retries. */
export function createTpmdClient(socketPath: string): TpmdClient {
  const unix = createUnixClient({ socketPath, authority: 'tpmd.sock' });
  return {
    async keys() {
      const answer = await unix.request({ method: 'GET', path: '/get_tpm_keys', query: QUERY });
      return { endorsementKey: member(answer, 'endorsement_key'), storageRootKey: member(answer, 'storage_root_key') };
    },
    async importKey(wrapped) {
      await unix.request({ method: 'POST', path: '/import_auth_key', query: QUERY, body: { key: base64(wrapped) } });
    },
    async sign(data) {
      const body = { data: base64(data) };
      return member(await unix.request({ method: 'POST', path: '/sign_with_auth_key', query: QUERY, body }), 'digest');
    },
    close: () => unix.close(),
  };
}
