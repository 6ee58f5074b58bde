import assert from 'node:assert/strict';
import { type Context, type Group, group } from '../runner/index.ts';
import { type Ended, type EngineWorld, expectFailure } from './engine-world.ts';
import { keysWorld } from './loading.ts';
import type { Play } from './recorder.ts';

/** Engines that know the variable wait for keyd so long. */
const PATIENCE = { AZIOT_KEYD_TIMEOUT_MS: '1000' };
/** Above what an engine without the variable may wait; the processor time of one that spins would be of this order. */
const LONGEST_MS = 44_000;
const FROM_NOBODY = 65_534;

/** Loads the EC key while keyd's answers are disturbed. */
function loadWith(engine: EngineWorld, play: Play): Promise<Ended> {
  engine.recorder.play(play);
  return engine.load(engine.handle('ec'), ['-noout'], PATIENCE);
}

async function expectLoaded(context: Context, ...plays: readonly Play[]): Promise<void> {
  const engine = await keysWorld(context);
  for (const play of plays) {
    const ended = await loadWith(engine, play);
    assert.equal(ended.exit, 0, `${JSON.stringify(play)}: ${ended.stderr}`);
  }
}

/** A signature of the service that is none for that key. */
async function expectRefused(engine: EngineWorld, key: string, play: Play): Promise<void> {
  engine.recorder.play(play);
  expectFailure(await engine.sign(key));
}

const signature = (bytes: readonly number[]): Play => ({
  path: '/sign',
  body: JSON.stringify({ signature: Buffer.from(bytes).toString('base64') }),
});

const block = (length: number): Play => ({
  path: '/encrypt',
  body: JSON.stringify({ ciphertext: Buffer.alloc(length, 1).toString('base64') }),
});

/** What the engine says to keyd, and what it makes of answers that are not as they should be. */
export const answers: Group = group('openssl engine: answers of keyd', {
  'SSL-027': [
    'answers in two pieces are read; a connection that is closed early is an error that comes in time',
    'spec',
    async (context) => {
      await expectLoaded(context, { splitAt: 10 }, { splitAt: 60 }, { splitAt: 80 });
      const engine = await keysWorld(context);
      for (const play of [{ splitAt: 10, close: true }, { splitAt: 80, close: true }, { close: true }]) {
        const ended = await loadWith(engine, play);
        expectFailure(ended);
        assert.ok(ended.ms < LONGEST_MS);
        const { connections } = engine.recorder.take();
        assert.ok(connections < 200, `${connections} connections in ${Math.round(ended.ms)} ms`);
      }
    },
  ],
  'SSL-028': [
    'a keyd that never answers ends in an error',
    'spec',
    async (context) => {
      const engine = await keysWorld(context);
      expectFailure(await loadWith(engine, { silent: true }));
    },
  ],
  'SSL-029': [
    'a charset in the content type is accepted',
    'spec',
    (context) => expectLoaded(context, { contentType: 'application/json; charset=utf-8' }),
  ],
  'SSL-030': [
    'a signature that is too long, too short, or no exact DER is an error',
    'spec',
    async (context) => {
      const engine = await keysWorld(context);
      for (const bytes of [[], [0x30, 0x20, 1, 2, 3], [0x30, 6, 2, 1, 1, 2, 1, 1, 0]])
        await expectRefused(engine, 'ec', signature(bytes));
      for (const length of [0, 10, 255, 257, 4096]) await expectRefused(engine, 'rsa', block(length));
    },
  ],
  'SSL-031': [
    'a user who may not use the socket gets an error, although the handle is good',
    'reference-run',
    async (context) => {
      context.needRoot();
      const engine = await keysWorld(context);
      const other = ['setpriv', `--reuid=${FROM_NOBODY}`, `--regid=${FROM_NOBODY}`, '--clear-groups'];
      const load = ['openssl', 'pkey', '-engine', 'aziot_keys', '-inform', 'engine', '-noout'];
      const env = engine.env('direct');
      expectFailure(await engine.run([...other, ...load, '-in', engine.handle('ec')], { env }));
      assert.equal((await engine.run([...load, '-in', engine.handle('ec')], { env })).exit, 0);
    },
  ],
  'SSL-032': [
    'requests have the documented form',
    'reference-run',
    async (context) => {
      const engine = await keysWorld(context);
      for (const name of ['ec', 'rsa']) assert.equal((await engine.sign(name)).exit, 0);
      const { requests } = engine.recorder.take();
      assert.equal(requests.length, 8);
      for (const { line, path, headers, body } of requests) {
        assert.equal(line, `POST ${path}?api-version=2021-05-01 HTTP/1.1`);
        const lower = headers.map((each) => each.toLowerCase());
        assert.ok(lower.includes('content-type: application/json'), headers.join());
        assert.ok(lower.includes(`content-length: ${body.length}`), headers.join());
      }
      const members = requests.map(({ body }) => Object.keys(JSON.parse(body) as object).join());
      assert.deepEqual(members, [
        ...Array<string>(3).fill('keyHandle'),
        'keyHandle,algorithm,parameters',
        ...Array<string>(3).fill('keyHandle'),
        'keyHandle,algorithm,plaintext',
      ]);
    },
  ],
});
