import { createHmac } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Answer } from '../support/device.ts';
import type { KilledKeyd } from './killed-keyd.ts';

/** What a key is, told from outside; undefined where it is not there. */
type Told = string | undefined;

/** A call that changes the state of keyd. */
export interface Change {
  readonly name: string;
  /** Makes the state of before; keyd runs. */
  prepare(keyd: KilledKeyd): Promise<void>;
  call(keyd: KilledKeyd): Promise<Answer | undefined>;
  /** The state as keyd and the files show it: equal texts are equal states. */
  tell(keyd: KilledKeyd): Promise<string>;
  /** What a state of after looks like, given that of before. */
  after(before: string): RegExp;
}

const OLD = Buffer.alloc(32, 1);
const NEW = Buffer.alloc(48, 2);

/** The status of an answer; a call of the preparation and of the examination has to be answered. */
async function must(keyd: KilledKeyd, method: string, path: string, body?: unknown): Promise<Answer> {
  const answer = await keyd.ask(method, path, body);
  if (answer === undefined) throw new Error(`keyd ended at ${method} ${path}`);
  return answer;
}

async function handleOf(keyd: KilledKeyd, path: string): Promise<string | undefined> {
  const answer = await must(keyd, 'GET', path);
  if (answer.status === 200) return answer.body.keyHandle;
  if (answer.status === 400) return undefined;
  throw new Error(`GET ${path} is answered ${answer.status}`);
}

/** The HMAC of a message under a symmetric key. */
async function tellKey(keyd: KilledKeyd, id: string): Promise<Told> {
  const keyHandle = await handleOf(keyd, `/key/${id}`);
  if (keyHandle === undefined) return undefined;
  const body = { keyHandle, algorithm: 'HMAC-SHA256', parameters: { message: 'aGVsbG8=' } };
  const signed = await must(keyd, 'POST', '/sign', body);
  if (signed.status !== 200) throw new Error(`key ${id} is given out and signs not: ${signed.status}`);
  return signed.body.signature;
}

/** The public point of a key pair, which has to sign. */
async function tellPair(keyd: KilledKeyd, id: string): Promise<Told> {
  const keyHandle = await handleOf(keyd, `/keypair/${id}`);
  if (keyHandle === undefined) return undefined;
  const digest = { digest: OLD.toString('base64') };
  const signed = await must(keyd, 'POST', '/sign', { keyHandle, algorithm: 'ECDSA', parameters: digest });
  if (signed.status !== 200) throw new Error(`pair ${id} is given out and signs not: ${signed.status}`);
  return (await must(keyd, 'POST', '/parameters/ec-point', { keyHandle })).body.value;
}

async function makePair(keyd: KilledKeyd, keyId: string): Promise<string> {
  const body = { keyId, preferredAlgorithms: 'ec-p256' };
  return (await must(keyd, 'POST', '/keypair', body)).body.keyHandle;
}

async function importKey(keyd: KilledKeyd, keyId: string, bytes: Buffer): Promise<string> {
  const body = { keyId, usage: 'sign', keyBytes: bytes.toString('base64') };
  return (await must(keyd, 'POST', '/key', body)).body.keyHandle;
}

/** The handles that a change needs, made before it. */
const handles = new WeakMap<KilledKeyd, string>();

const operatorFile = (keyd: KilledKeyd) => join(keyd.folder, 'operator/key');

function emptyOperatorFolder(keyd: KilledKeyd): void {
  const folder = join(keyd.folder, 'operator');
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
}

/** The operator's file, wherever it is now: under its name, or kept aside. */
function tellOperator(keyd: KilledKeyd): string {
  const names = readdirSync(join(keyd.folder, 'operator')).filter((name) => !name.startsWith('.'));
  const whole = names.filter((name) => readFileSync(join(keyd.folder, 'operator', name)).equals(OLD));
  return `${whole.map((name) => name.replace(/-.*/, '')).join(',')} of ${names.length}`;
}

const newKey = createHmac('sha256', NEW).update('hello').digest('base64').replaceAll('+', '\\+');
const A_KEY = '[A-Za-z0-9+/]{43}=';

export const CHANGES: readonly Change[] = [
  {
    name: 'create a symmetric key',
    prepare: async () => {},
    call: (keyd) => keyd.ask('POST', '/key', { keyId: keyd.id('new'), usage: 'sign' }),
    tell: async (keyd) => `new=${await tellKey(keyd, keyd.id('new'))}`,
    after: () => new RegExp(`^new=${A_KEY}$`),
  },
  {
    name: 'import over a symmetric key',
    prepare: async (keyd) => void (await importKey(keyd, keyd.id('key'), OLD)),
    call: (keyd) =>
      keyd.ask('POST', '/key', { keyId: keyd.id('key'), usage: 'sign', keyBytes: NEW.toString('base64') }),
    tell: async (keyd) => `key=${await tellKey(keyd, keyd.id('key'))}`,
    after: () => new RegExp(`^key=${newKey}$`),
  },
  {
    name: 'create a key pair',
    prepare: async () => {},
    call: (keyd) => keyd.ask('POST', '/keypair', { keyId: keyd.id('pair'), preferredAlgorithms: 'ec-p256' }),
    tell: async (keyd) => `pair=${await tellPair(keyd, keyd.id('pair'))}`,
    after: () => /^pair=[A-Za-z0-9+/]{44}$/,
  },
  {
    name: 'delete a symmetric key',
    prepare: async (keyd) => void handles.set(keyd, await importKey(keyd, keyd.id('key'), OLD)),
    call: (keyd) => keyd.ask('DELETE', '/key', { keyHandle: handles.get(keyd) }),
    tell: async (keyd) => `key=${await tellKey(keyd, keyd.id('key'))}`,
    after: () => /^key=undefined$/,
  },
  {
    name: 'delete a key pair',
    prepare: async (keyd) => void handles.set(keyd, await makePair(keyd, keyd.id('pair'))),
    call: (keyd) => keyd.ask('DELETE', '/keypair', { keyHandle: handles.get(keyd) }),
    tell: async (keyd) => `pair=${await tellPair(keyd, keyd.id('pair'))}`,
    after: () => /^pair=undefined$/,
  },
  {
    name: 'move a pair onto another',
    prepare: async (keyd) => {
      await makePair(keyd, keyd.id('from'));
      await makePair(keyd, keyd.id('to'));
    },
    call: (keyd) => keyd.ask('POST', `/keypair/${keyd.id('to')}`, { from: keyd.id('from') }),
    tell: async (keyd) => `from=${await tellPair(keyd, keyd.id('from'))} to=${await tellPair(keyd, keyd.id('to'))}`,
    after: (before) => {
      const source = /^from=(\S+)/.exec(before)?.[1] ?? '';
      return new RegExp(`^from=undefined to=${source.replaceAll('+', '\\+')}$`);
    },
  },
  {
    name: 'delete a preloaded key',
    prepare: async (keyd) => {
      emptyOperatorFolder(keyd);
      writeFileSync(operatorFile(keyd), OLD);
      const { body } = await must(keyd, 'GET', '/key/preloaded');
      handles.set(keyd, body.keyHandle);
    },
    call: (keyd) => keyd.ask('DELETE', '/key', { keyHandle: handles.get(keyd) }),
    tell: async (keyd) => `${tellOperator(keyd)}, loads=${(await tellKey(keyd, 'preloaded')) !== undefined}`,
    after: () => /^key\.deleted of 1, loads=false$/,
  },
  {
    name: 'import over a preloaded key',
    prepare: async (keyd) => {
      emptyOperatorFolder(keyd);
      writeFileSync(operatorFile(keyd), OLD);
      await must(keyd, 'GET', '/key/preloaded');
    },
    call: (keyd) => keyd.ask('POST', '/key', { keyId: 'preloaded', usage: 'sign', keyBytes: NEW.toString('base64') }),
    tell: async (keyd) => `key=${await tellKey(keyd, 'preloaded')}`,
    after: () => new RegExp(`^key=${newKey}$`),
  },
  {
    name: 'make the handle-validation key with the first key',
    prepare: (keyd) => keyd.startEmpty(),
    call: (keyd) => keyd.ask('POST', '/key', { keyId: 'first', usage: 'sign', keyBytes: NEW.toString('base64') }),
    tell: async (keyd) => {
      // a store without any key has no handle to tell it by
      if (!existsSync(keyd.keyFile('first'))) return 'first=undefined';
      return `first=${await tellKey(keyd, 'first')}`;
    },
    after: () => new RegExp(`^first=${newKey}$`),
  },
];
