import { constants, createHmac, generateKeyPairSync, type KeyObject, privateEncrypt } from 'node:crypto';
import type { KeydClient, KeyHandle } from '../../clients/index.ts';
import { ClientError } from '../../ipc/index.ts';

/** keyd in memory: handles name their key, derived keys name their base and data. */
export interface FakeKeyd extends KeydClient {
  readonly keys: Map<string, Buffer>;
  readonly pairs: Map<string, KeyObject>;
  /** Names of the calls, in order. */
  readonly calls: string[];
  /** What every call fails with while it is set. */
  outage: ClientError | undefined;
}

const absent = () => new ClientError('refused', 'a parameter has an invalid value', { status: 400 });

/** Makes one; `keys` are symmetric keys by id. */
export function createFakeKeyd(initial: Readonly<Record<string, Buffer>>): FakeKeyd {
  const keys = new Map(Object.entries(initial));
  const pairs = new Map<string, KeyObject>();
  const calls: string[] = [];
  const asHandle = (text: string) => text as KeyHandle;
  const find = <T>(map: Map<string, T>, id: string): T => {
    const found = map.get(id);
    if (found === undefined) throw absent();
    return found;
  };
  const bytesOf = (handle: string): Buffer => {
    const [kind, id = '', data = ''] = handle.split('|');
    const base = find(keys, id);
    return kind === 'derived' ? createHmac('sha256', base).update(Buffer.from(data, 'hex')).digest() : base;
  };
  const pairOf = (handle: string): KeyObject => find(pairs, handle.split('|')[1] ?? '');

  let outage: ClientError | undefined;
  const listeners: (() => void)[] = [];
  const fake: FakeKeyd = {
    keys,
    pairs,
    calls,
    get outage() {
      return outage;
    },
    set outage(error) {
      outage = error;
      for (const tell of listeners) tell();
    },
    onDisconnect: (listener) => void listeners.push(listener),
    async createKeyIfNotExists(id, usage) {
      call(`createKey ${id} ${usage.join(',')}`);
      if (!keys.has(id)) keys.set(id, Buffer.alloc(32, 1));
      return asHandle(`key|${id}`);
    },
    importKey: () => Promise.reject(new Error('not used')),
    async loadKey(id) {
      call(`loadKey ${id}`);
      find(keys, id);
      return asHandle(`key|${id}`);
    },
    deleteKey: () => Promise.reject(new Error('not used')),
    async createKeyPairIfNotExists(id, algorithms) {
      call(`createKeyPair ${id} ${algorithms}`);
      if (!pairs.has(id)) pairs.set(id, generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey);
      return asHandle(`pair|${id}`);
    },
    async loadKeyPair(id) {
      call(`loadKeyPair ${id}`);
      find(pairs, id);
      return asHandle(`pair|${id}`);
    },
    async moveKeyPair(from, to) {
      call(`moveKeyPair ${from} ${to}`);
      pairs.set(to, find(pairs, from));
      pairs.delete(from);
    },
    async deleteKeyPair(handle) {
      const id = handle.split('|')[1] ?? '';
      call(`deleteKeyPair ${id}`);
      pairs.delete(id);
    },
    async keyPairParameter(handle, name) {
      call(`parameter ${name}`);
      if (name === 'algorithm') return 'RSA';
      const { n = '', e = '' } = pairOf(handle).export({ format: 'jwk' });
      return Buffer.from(name === 'rsa-modulus' ? n : e, 'base64url').toString('base64');
    },
    async createDerivedKey(base, data) {
      call('createDerivedKey');
      return asHandle(`derived|${base.split('|')[1]}|${Buffer.from(data).toString('hex')}`);
    },
    async exportDerivedKey(handle) {
      call('exportDerivedKey');
      return bytesOf(handle);
    },
    async sign(handle, input) {
      call(`sign ${input.algorithm}`);
      if (input.algorithm !== 'HMAC-SHA256') throw absent();
      return createHmac('sha256', bytesOf(handle)).update(input.message).digest();
    },
    async encryptRsa(handle, _padding, block) {
      call('encryptRsa');
      return privateEncrypt({ key: pairOf(handle), padding: constants.RSA_PKCS1_PADDING }, block);
    },
    close: async () => undefined,
  };
  function call(text: string): void {
    calls.push(text);
    if (fake.outage) throw fake.outage;
  }
  return fake;
}
