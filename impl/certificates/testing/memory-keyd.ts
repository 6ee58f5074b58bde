import { constants, generateKeyPairSync, type KeyObject, privateEncrypt } from 'node:crypto';
import type { KeydClient, KeyHandle } from '../../clients/index.ts';
import { ClientError } from '../../ipc/index.ts';

/** A keyd in memory with RSA key pairs, for tests. Handles are `handle:<id>`. */
export interface MemoryKeyd extends KeydClient {
  readonly pairs: Map<string, { readonly privateKey: KeyObject; readonly publicKey: KeyObject }>;
  /** Calls so far, as `create est-id-temp`. */
  readonly calls: string[];
  /** Calls that match are refused. */
  refuse: RegExp | undefined;
  /** With this status; 401 at first. */
  refuseWith: number;
  /** A move is done, but its answer is lost. */
  moveLosesAnswer: boolean;
  /** Nothing answers. */
  down: boolean;
}

const refused = (status: number) => new ClientError('refused', `refused with ${status}`, { status });

/** Makes one. */
export function memoryKeyd(): MemoryKeyd {
  const pairs: MemoryKeyd['pairs'] = new Map();
  const calls: string[] = [];
  const note = (call: string) => {
    calls.push(call);
    if (keyd.down) throw new ClientError('unreachable', 'could not reach keyd');
    if (keyd.refuse?.test(call)) throw refused(keyd.refuseWith);
  };
  const load = (id: string): KeyHandle => {
    const pair = pairs.get(id);
    if (!pair) throw refused(400);
    return `handle:${id}` as KeyHandle;
  };
  const pairOf = (handle: string) => {
    const pair = pairs.get(handle.slice('handle:'.length));
    if (!pair) throw refused(400);
    return pair;
  };
  const unused = () => Promise.reject(new Error('not part of this test'));
  const keyd: MemoryKeyd = {
    pairs,
    calls,
    refuse: undefined,
    refuseWith: 401,
    moveLosesAnswer: false,
    down: false,
    createKeyIfNotExists: unused,
    importKey: unused,
    loadKey: unused,
    deleteKey: unused,
    createDerivedKey: unused,
    exportDerivedKey: unused,
    sign: unused,
    async createKeyPairIfNotExists(id, algorithms) {
      note(`create ${id} ${algorithms}`);
      if (!pairs.has(id)) pairs.set(id, generateKeyPairSync('rsa', { modulusLength: 2048 }));
      return load(id);
    },
    async loadKeyPair(id) {
      note(`load ${id}`);
      return load(id);
    },
    async moveKeyPair(from, to) {
      note(`move ${from} ${to}`);
      const pair = pairOf(load(from));
      pairs.set(to, pair);
      pairs.delete(from);
      if (keyd.moveLosesAnswer) throw new ClientError('timeout', 'keyd did not answer in time');
    },
    async deleteKeyPair(handle) {
      note(`delete ${handle.slice('handle:'.length)}`);
      pairs.delete(handle.slice('handle:'.length));
    },
    async keyPairParameter(handle, name) {
      const jwk = pairOf(handle).publicKey.export({ format: 'jwk' });
      if (name === 'algorithm') return 'RSA';
      const part = name === 'rsa-modulus' ? jwk.n : jwk.e;
      return Buffer.from(part ?? '', 'base64url').toString('base64');
    },
    async encryptRsa(handle, _padding, block) {
      const key = pairOf(handle).privateKey;
      return privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, block);
    },
    close: async () => undefined,
  };
  return keyd;
}
