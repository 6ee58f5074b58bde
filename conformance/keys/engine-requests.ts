import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  answered,
  type Context,
  expectStatus,
  type Group,
  header,
  jsonOf,
  type Requirement,
  type SharedWorld,
  stringMember,
  type WireAnswer,
  WireConnection,
  type World,
} from '../runner/index.ts';
import { Caller } from './caller.ts';
import { p256Key } from './public-key.ts';
import { STORE_NAMES, STORES, type Store } from './stores.ts';
import { verifiesDigest } from './verify-digest.ts';

/** A request of the reference's engine as it is recorded in engine.json: `{{name}}` stands for the handle of a key. */
interface EngineRequest {
  readonly line: string;
  readonly headers: readonly string[];
  readonly body: Readonly<Record<string, unknown>>;
  readonly status: number;
  /** The exact bytes, where they were kept. */
  readonly raw?: string;
}

interface EngineExchange {
  readonly id: string;
  readonly requests?: readonly EngineRequest[];
}

const GOLDEN = new URL('../../fixtures/golden/engine.json', import.meta.url);
const { exchanges } = JSON.parse(readFileSync(GOLDEN, 'utf8')) as { exchanges: readonly EngineExchange[] };

/** Statuses that differ on purpose: a symmetric key's handle is the caller's fault (KS-087), not a fault of keyd. */
const OWN_STATUS: Readonly<Record<string, number>> = { 'load-symmetric': 400 };

const MADE_PAIRS: Readonly<Record<string, string>> = {
  ec: 'ec-p256',
  rsa: 'rsa-2048',
  rsa4k: 'rsa-4096',
  'srv-ec': 'ec-p256',
  'srv-rsa': 'rsa-2048',
  ca: 'ec-p256',
  gone: 'ec-p256',
};
const PRELOADED: Readonly<Record<string, string>> = { p384: 'secp384r1', p521: 'secp521r1', secp: 'secp256k1' };

/** Handles of the recorded names, by world. */
const handlesOf = new WeakMap<World, Map<string, string>>();

function engineKeys(store: Store): SharedWorld {
  return {
    name: `engine keys on ${store.name}`,
    async build(world) {
      for (const [name, namedCurve] of Object.entries(PRELOADED)) {
        const { privateKey } = generateKeyPairSync('ec', { namedCurve });
        await world.file(`pre/${name}`, privateKey.export({ type: 'pkcs8', format: 'pem' }));
      }
      const preloaded = Object.keys(PRELOADED).map((name) => `${name} = "file://@ROOT@/pre/${name}"\n`);
      const main = `[aziot_keys]\nhomedir_path = "@ROOT@/keyd/home"\n${await store.prepare(world)}\n`;
      await world.configure('keyd', { main: `${main}[preloaded_keys]\n${preloaded.join('')}` });
      await world.start('keyd');
      const root = new Caller(world);
      const handles = new Map<string, string>([['sym', await root.key('sym')]]);
      for (const [name, algorithm] of Object.entries(MADE_PAIRS))
        if (store.rsa4096 === 'made' || algorithm !== 'rsa-4096') handles.set(name, await root.pair(name, algorithm));
      for (const name of Object.keys(PRELOADED))
        handles.set(name, stringMember(expectStatus(await root.get(`/keypair/${name}`), 200), 'keyHandle'));
      handles.set('tampered', handles.get('ec')?.replace('&sig=', '&sig=A') ?? '');
      handlesOf.set(world, handles);
    },
  };
}

/** The bytes that the reference's engine sends, with the handle of this world in place of the recorded one. */
function bytesOf(request: EngineRequest, handles: ReadonlyMap<string, string>): Buffer {
  const fill = (text: string) => text.replaceAll(/\{\{([\w-]+)\}\}/g, (_, name: string) => handles.get(name) ?? '');
  const body = fill(JSON.stringify(request.body));
  const tampered = request.body['keyHandle'] === '{{tampered}}';
  const headers = tampered
    ? request.headers.map((line) => line.replace(/^content-length: .*/, `content-length: ${body.length}`))
    : request.headers;
  assert.ok(headers.includes(`content-length: ${Buffer.byteLength(body)}`), 'the handles have another length');
  const built = `${request.line}\r\n${headers.join('\r\n')}\r\n\r\n${body}`;
  if (request.raw !== undefined) assert.equal(built, fill(request.raw), 'the recorded bytes are built otherwise');
  return Buffer.from(built);
}

/** The eleven pieces in which that engine writes a request: method, blank, path, name, query name, version, … , body. */
function piecesOf(bytes: Buffer): Buffer[] {
  const text = bytes.toString('latin1');
  const found =
    /^(\w+)( )(\/(?:parameters\/)?)([\w-]+)(\?api-version=)([\d-]+)( HTTP\/1\.1\r\n)(content-length: )(\d+)(\r\n.*?\r\n\r\n)(.*)$/s.exec(
      text,
    );
  if (!found) throw new Error(`not a request of the engine: ${text.slice(0, 80)}`);
  return found.slice(1).map((piece) => Buffer.from(piece, 'latin1'));
}

/** Sends the pieces, one write each, and reads the answer. */
async function send(world: World, pieces: readonly Buffer[]): Promise<WireAnswer> {
  const connection = await WireConnection.open(world.socket('keyd'));
  try {
    for (const [index, piece] of pieces.entries()) {
      if (index > 0) await nextTurn();
      connection.write(piece);
    }
    return answered(await connection.answer('POST', 20_000));
  } finally {
    connection.close();
  }
}

/** Asserts what the reference's client needs to read an answer (keys-service.md 3.1). */
function expectReadable(answer: WireAnswer): void {
  assert.ok(answer.oneWrite, 'the head did not come in one read');
  assert.ok(answer.headBytes <= 512, `a head of ${answer.headBytes} bytes`);
  assert.ok(answer.headers.length <= 16, `${answer.headers.length} headers`);
  assert.equal(header(answer, 'content-type'), 'application/json');
  assert.equal(header(answer, 'content-length'), String(Buffer.byteLength(answer.body)));
  assert.equal(header(answer, 'transfer-encoding'), undefined);
  jsonOf(answer);
}

async function verify(root: Caller, request: EngineRequest, handle: string, answer: WireAnswer): Promise<void> {
  if (answer.status !== 200 || !request.line.startsWith('POST /sign')) return;
  const { digest } = request.body['parameters'] as { readonly digest: string };
  const signature = Buffer.from(stringMember(jsonOf(answer), 'signature'), 'base64');
  const key = p256Key(await root.parameter('ec-point', handle));
  assert.ok(verifiesDigest(key, Buffer.from(digest, 'base64'), signature), 'the signature does not verify');
}

async function replay(context: Context, store: Store, { id, requests = [] }: EngineExchange): Promise<void> {
  const reason = store.whyNot();
  if (reason !== undefined) context.skip(reason);
  const world = await context.shared(engineKeys(store));
  const handles = handlesOf.get(world) ?? new Map<string, string>();
  const root = new Caller(world);
  for (const request of requests) {
    const name = /^\{\{(.+)\}\}$/.exec(String(request.body['keyHandle']))?.[1] ?? '';
    if (name === 'gone' && request.status !== 200)
      expectStatus(await root.delete('/keypair', { keyHandle: handles.get(name) }), 204);
    const bytes = bytesOf(request, handles);
    for (const pieces of [[bytes], piecesOf(bytes)]) {
      const answer = await send(world, pieces);
      assert.equal(answer.status, OWN_STATUS[id] ?? request.status, `${request.line}: ${answer.body.slice(0, 200)}`);
      expectReadable(answer);
      await verify(root, request, handles.get(name) ?? '', answer);
    }
  }
}

/** Requests that differ, so that fifty equal TLS clients do not say the same thing fifty times. */
function distinct(requests: readonly EngineRequest[]): EngineRequest[] {
  return [...new Map(requests.map((request) => [`${request.line}${JSON.stringify(request.body)}`, request])).values()];
}

/** Keys that a store cannot make leave their exchanges out. */
function fits(store: Store, { body }: EngineRequest): boolean {
  return store.rsa4096 === 'made' || body['keyHandle'] !== '{{rsa4k}}';
}

/** The recorded requests of the reference's engine, byte for byte, whole and in eleven pieces: `keys-engine#dgst-sha256-ec/softhsm`. */
export const engineRequests: readonly Group[] = STORE_NAMES.map((storeName) => {
  const store = STORES[storeName];
  const requirements = exchanges.flatMap(({ id, requests }): Requirement[] => {
    const all = distinct(requests ?? []);
    if (all.length === 0) return [];
    const own = all.filter((request) => fits(store, request));
    return [
      {
        id: `keys-engine#${id}/${storeName}`,
        text: 'requests of the reference’s engine get answers that it can read',
        source: 'reference-run',
        async run(context) {
          if (own.length === 0) context.leaveOut('the store makes no RSA pairs of 4096 bits');
          await replay(context, store, { id, requests: own });
        },
      },
    ];
  });
  return { name: `keyd on ${storeName}: requests of the engine`, requirements };
});
