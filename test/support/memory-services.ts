import {
  constants,
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  privateEncrypt,
} from 'node:crypto';
import type { CertdClient, KeydClient, KeyHandle } from '../../impl/clients/index.ts';
import { ClientError } from '../../impl/ipc/index.ts';
import type { TestCa } from '../../simulators/common/index.ts';

/** keyd in memory, which can be away. */
export interface MemoryKeyd extends KeydClient {
  readonly keys: Map<string, Buffer>;
  readonly pairs: Map<string, KeyObject>;
  /** The private key behind a handle of a pair, PEM. */
  privateKeyOf(handle: string): string;
  /** A pair from the pool under this id, as if somebody else had put it there. */
  renew(id: string): KeyObject;
  away: boolean;
}

/** RSA keys are slow to make: a few serve all runs. */
const pool: KeyObject[] = [];
let taken = 0;
function pooledKey(): KeyObject {
  if (pool.length < 6) pool.push(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey);
  const key = pool[taken++ % pool.length];
  if (!key) throw new Error('the pool is empty');
  return key;
}

const absent = () => new ClientError('refused', 'a parameter has an invalid value', { status: 400 });
const unreachable = (name: string) => new ClientError('unreachable', `could not reach ${name}; check that it runs`);
const unused = () => Promise.reject(new Error('not used here'));

function found<T>(map: ReadonlyMap<string, T>, id: string): T {
  const value = map.get(id);
  if (value === undefined) throw absent();
  return value;
}

/** Makes one with these symmetric keys. Handles name their key; those of derived keys their base and data. */
export function createMemoryKeyd(initial: Readonly<Record<string, Buffer>>): MemoryKeyd {
  const keys = new Map(Object.entries(initial));
  const pairs = new Map<string, KeyObject>();
  const handleOf = (...parts: string[]) => parts.join('|') as KeyHandle;
  const partOf = (handle: string, index: number) => handle.split('|')[index] ?? '';
  const bytesOf = (handle: string): Buffer => {
    const base = found(keys, partOf(handle, 1));
    if (partOf(handle, 0) !== 'derived') return base;
    return createHmac('sha256', base)
      .update(Buffer.from(partOf(handle, 2), 'hex'))
      .digest();
  };
  const pairOf = (handle: string) => found(pairs, partOf(handle, 1));
  const present = async <T>(work: () => T): Promise<T> => {
    if (keyd.away) throw unreachable('keyd');
    return work();
  };
  const keyd: MemoryKeyd = {
    keys,
    pairs,
    away: false,
    privateKeyOf: (handle) => pairOf(handle).export({ type: 'pkcs8', format: 'pem' }).toString(),
    renew(id) {
      const key = pooledKey();
      pairs.set(id, key);
      return key;
    },
    createKeyIfNotExists: (id) =>
      present(() => {
        if (!keys.has(id)) keys.set(id, Buffer.alloc(32, 1));
        return handleOf('key', id);
      }),
    loadKey: (id) =>
      present(() => {
        found(keys, id);
        return handleOf('key', id);
      }),
    createKeyPairIfNotExists: (id) =>
      present(() => {
        if (!pairs.has(id)) pairs.set(id, pooledKey());
        return handleOf('pair', id);
      }),
    loadKeyPair: (id) =>
      present(() => {
        found(pairs, id);
        return handleOf('pair', id);
      }),
    moveKeyPair: (from, to) =>
      present(() => {
        pairs.set(to, found(pairs, from));
        pairs.delete(from);
      }),
    deleteKeyPair: (handle) => present(() => void pairs.delete(partOf(handle, 1))),
    keyPairParameter: (handle, name) =>
      present(() => {
        if (name === 'algorithm') return 'RSA';
        const { n = '', e = '' } = pairOf(handle).export({ format: 'jwk' });
        return Buffer.from(name === 'rsa-modulus' ? n : e, 'base64url').toString('base64');
      }),
    createDerivedKey: (base, data) =>
      present(() => handleOf('derived', partOf(base, 1), Buffer.from(data).toString('hex'))),
    exportDerivedKey: (handle) => present(() => bytesOf(handle)),
    sign: (handle, input) =>
      present(() => {
        if (input.algorithm !== 'HMAC-SHA256') throw absent();
        return createHmac('sha256', bytesOf(handle)).update(input.message).digest();
      }),
    encryptRsa: (handle, _padding, block) =>
      present(() => privateEncrypt({ key: pairOf(handle), padding: constants.RSA_PKCS1_PADDING }, block)),
    importKey: unused,
    deleteKey: unused,
    close: async () => undefined,
  };
  return keyd;
}

/** certd in memory over a CA of the simulated world, which can be away. */
export interface MemoryCertd extends CertdClient {
  readonly certificates: Map<string, string>;
  away: boolean;
}

/** Makes one; certificates live for so many seconds. */
export function createMemoryCertd(ca: TestCa, lifetimeSeconds: number): MemoryCertd {
  const certificates = new Map<string, string>();
  const present = async <T>(work: () => T | Promise<T>): Promise<T> => {
    if (certd.away) throw unreachable('certd');
    return work();
  };
  const certd: MemoryCertd = {
    certificates,
    away: false,
    get: (id) => present(() => found(certificates, id)),
    create: (id, csrPem) =>
      present(async () => {
        const leaf = await ca.issue({ csrPem, extendedKeyUsages: ['clientAuth'], lifetimeSeconds });
        certificates.set(id, leaf + ca.chainPem);
        return leaf + ca.chainPem;
      }),
    import: (id, pem) => present(() => void certificates.set(id, pem)),
    delete: (id) => present(() => void certificates.delete(id)),
    close: async () => undefined,
  };
  return certd;
}

/** A certificate for the key, as somebody else would issue it. */
export async function issueElsewhere(
  ca: TestCa,
  key: KeyObject,
  subject: string,
  lifetimeSeconds: number,
): Promise<string> {
  const publicKeyPem = createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString();
  const leaf = await ca.issue({ publicKeyPem, subject, extendedKeyUsages: ['clientAuth'], lifetimeSeconds });
  return leaf + ca.chainPem;
}
