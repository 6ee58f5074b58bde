import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { p256Key, STORES } from '../keys/index.ts';
import { type Context, expectStatus, type Group, group } from '../runner/index.ts';
import { EngineWorld, engineKey, expectFailure, sharedEngineWorld } from './engine-world.ts';

const NAME = 'An openssl engine that talks to the Azure IoT Keys Service';
/** DER of the names of two curves that keyd does not tell of. */
const CURVES = { p384: ['secp384r1', '06052b81040022'], p521: ['secp521r1', '06052b81040023'] } as const;
const EC_LOAD = ['/parameters/algorithm', '/parameters/ec-curve-oid', '/parameters/ec-point'];
const RSA_LOAD = ['/parameters/algorithm', '/parameters/rsa-modulus', '/parameters/rsa-exponent'];

/** Keys of each kind in one keyd. */
export function keysWorld(context: Context): Promise<EngineWorld> {
  return sharedEngineWorld(context, 'engine and keys', async (world) => {
    for (const [name, [namedCurve]] of Object.entries(CURVES)) {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve });
      await world.file(`pre/${name}`, privateKey.export({ type: 'pkcs8', format: 'pem' }));
    }
    const preloaded = Object.keys(CURVES).map((name) => `${name} = "file://@ROOT@/pre/${name}"\n`);
    const engine = await EngineWorld.in(context, world, STORES.file, `[preloaded_keys]\n${preloaded.join('')}`);
    await engine.makePair('ec', 'ec-p256');
    await engine.makePair('rsa', 'rsa-2048');
    await engine.makePair('rsa4k', 'rsa-4096');
    await engine.makeKey('sym');
    for (const name of Object.keys(CURVES)) await engine.loadPair(name);
    return engine;
  });
}

const paths = (engine: EngineWorld) => engine.recorder.take().requests.map(({ path }) => path);

/** Asserts that the public key of the engine is the one that keyd tells, and gives it as PEM. */
async function publicKeyOf(engine: EngineWorld, name: string, more: readonly string[]): Promise<string> {
  const ended = await engine.load(engine.handle(name), [...more, '-pubout']);
  assert.equal(ended.exit, 0, ended.stderr);
  return ended.stdout;
}

/** What is asked of the engine before it signs. */
export const loading: Group = group('openssl engine: loading', {
  'SSL-001': [
    'the engine is found by its file name and starts with keyd absent',
    'reference-run',
    async (context) => {
      const engine = await keysWorld(context);
      const env = { AZIOT_KEYD_SOCKET: engine.path('nobody.sock') };
      const ended = await engine.run(['openssl', 'engine', '-t', 'aziot_keys'], { env });
      assert.equal(ended.exit, 0, ended.stderr);
      assert.match(ended.stdout, /\[ available \]/);
    },
  ],
  'SSL-002': [
    'once loaded it shows its inner id and its name',
    'reference-run',
    async (context) => {
      const { stdout } = await (await keysWorld(context)).run(['openssl', 'engine', 'aziot_keys']);
      assert.match(stdout, /^Loaded: \(aziot-key-openssl-engine\) /m);
      assert.ok(stdout.includes(NAME), stdout);
    },
  ],
  'SSL-003': [
    'it can be loaded again and again in one process',
    'spec',
    async (context) => {
      const engine = await keysWorld(context);
      const again = await engine.run(['openssl', 'engine', '-t', ...Array<string>(10).fill('aziot_keys')]);
      assert.equal(again.exit, 0, again.stderr);
      assert.equal(again.stdout.match(/\[ available \]/g)?.length, 10);
    },
  ],
  'SSL-004': [
    'an EC pair is loaded by three requests, and none of them signs',
    'reference-run',
    async (context) => {
      const engine = await keysWorld(context);
      const ended = await engine.load(engine.handle('ec'), ['-noout', '-text_pub']);
      assert.equal(ended.exit, 0, ended.stderr);
      assert.match(ended.stdout, /NIST CURVE: P-256/);
      assert.deepEqual(paths(engine), EC_LOAD);
    },
  ],
  'SSL-005': [
    'RSA pairs of 2048 and 4096 bits are loaded by three requests',
    'reference-run',
    async (context) => {
      const engine = await keysWorld(context);
      for (const [name, bits] of [
        ['rsa', 2048],
        ['rsa4k', 4096],
      ] as const) {
        const ended = await engine.load(engine.handle(name), ['-noout', '-text_pub']);
        assert.equal(ended.exit, 0, ended.stderr);
        assert.ok(ended.stdout.includes(`(${bits} bit)`), ended.stdout);
        assert.match(ended.stdout, /Exponent: 65537/);
        assert.deepEqual(paths(engine), RSA_LOAD);
      }
    },
  ],
  'SSL-006': [
    'a public key is the public half of the pair, and does not sign',
    'reference-run',
    async (context) => {
      const engine = await keysWorld(context);
      const point = await engine.keyd.parameter('ec-point', engine.handle('ec'));
      const expected = p256Key(point).export({ type: 'spki', format: 'pem' });
      assert.equal(await publicKeyOf(engine, 'ec', ['-pubin']), expected);
      assert.equal(await publicKeyOf(engine, 'ec', []), expected);
      assert.equal(await publicKeyOf(engine, 'rsa', ['-pubin']), await publicKeyOf(engine, 'rsa', []));
      const key = ['-pubin', ...engineKey('-inkey', engine.handle('ec'))];
      const signed = await engine.run(['openssl', 'pkeyutl', '-sign', ...key, '-in', 'digest', '-out', 'signature']);
      assert.notEqual(signed.exit, 0, 'a public key has signed');
      assert.deepEqual(engine.operations(), []);
    },
  ],
  'SSL-007': [
    'without keyd a load fails with an error, and does not hang',
    'reference-run',
    async (context) => {
      const engine = await keysWorld(context);
      const env = { AZIOT_KEYD_SOCKET: engine.path('nobody.sock') };
      const ended = await engine.load(engine.handle('ec'), ['-noout'], env);
      expectFailure(ended);
      assert.ok(ended.ms < 15_000, `after ${Math.round(ended.ms)} ms`);
    },
  ],
  'SSL-008': [
    'a tampered handle fails, and the error has the message of keyd',
    'reference-run',
    async (context) => {
      const engine = await keysWorld(context);
      expectFailure(await engine.load(engine.handle('ec').replace('&sig=', '&sig=A')), 'invalid handle');
      assert.deepEqual(paths(engine), EC_LOAD.slice(0, 1));
    },
  ],
  'SSL-009': [
    'the handle of a symmetric key is refused',
    'reference-run',
    async (context) => {
      const engine = await keysWorld(context);
      expectFailure(await engine.load(engine.handle('sym')));
    },
  ],
  'SSL-010': [
    'a pair that is deleted between load and signature: an error with the message of keyd',
    'reference-run',
    async (context) => {
      const engine = await keysWorld(context);
      await engine.makePair('gone', 'ec-p256');
      const remove = async () =>
        void expectStatus(await engine.keyd.delete('/keypair', { keyHandle: engine.handle('gone') }), 204);
      engine.recorder.play({ path: '/sign', before: remove });
      expectFailure(await engine.sign('gone'), 'a parameter has an invalid value');
      assert.deepEqual(
        engine.operations().map(({ path }) => path),
        ['/sign'],
      );
    },
  ],
  'SSL-011': [
    'where keyd tells their curve, P-384 and P-521 sign',
    'spec',
    async (context) => {
      const engine = await keysWorld(context);
      for (const [name, [, oid]] of Object.entries(CURVES)) {
        const body = JSON.stringify({ value: Buffer.from(oid, 'hex').toString('base64') });
        engine.recorder.play({ path: '/parameters/ec-curve-oid', body });
        const signed = await engine.sign(name, ['-sha512']);
        assert.equal(signed.exit, 0, `${name}: ${signed.stderr}`);
        await engine.verifies(name, ['-sha512']);
      }
    },
  ],
});
