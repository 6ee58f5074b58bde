import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Swtpm, swtpmIsMissing, TpmProxy } from '../conformance/tpm/index.ts';
import { hmac, Tpmd } from './support/tpmd.ts';

const HELLO = Buffer.from('hello');
const INTERNAL = { status: 500, body: { message: 'internal error' } };
const missing = swtpmIsMissing();

describe.skipIf(missing)(`tpmd keeps its auth key (${missing ?? 'on swtpm'})`, () => {
  let swtpm: Swtpm;
  let proxy: TpmProxy;
  const tpmd = new Tpmd();
  let key: Buffer;

  beforeAll(async () => {
    swtpm = await Swtpm.start();
    proxy = await TpmProxy.start(swtpm.path);
    expect(await tpmd.start(`tcti = "${proxy.tcti}"`)).toBe('serves');
  });
  afterAll(async () => {
    await tpmd.dispose();
    await proxy?.close();
    await swtpm?.dispose();
  });
  beforeEach(async () => {
    proxy.calm();
    key = randomBytes(32);
    expect(await tpmd.import(await tpmd.wrap(key))).toEqual({ status: 200, body: {} });
    proxy.takeTrace();
    tpmd.log = '';
  });

  const oldKeySigns = async () => expect((await tpmd.sign(HELLO)).body['digest']).toBe(hmac(key, HELLO));
  const nothingIsLoaded = async () => {
    expect(await swtpm.handles('transient')).toEqual([]);
    expect(await swtpm.handles('loaded-session')).toEqual([]);
  };

  it('the new key has signed before the old one goes', async () => {
    expect(await tpmd.import(await tpmd.wrap(randomBytes(32)))).toEqual({ status: 200, body: {} });
    expect(proxy.takeTrace()).toEqual([
      ...['ReadPublic', 'ReadPublic', 'ReadPublic'],
      ...['StartAuthSession', 'PolicySecret', 'ActivateCredential', 'Import', 'Load', 'HMAC'],
      ...['EvictControl', 'EvictControl', 'FlushContext', 'FlushContext'],
    ]);
    await nothingIsLoaded();
  });

  it.each([
    'StartAuthSession',
    'PolicySecret',
    'ActivateCredential',
    'Import',
    'Load',
    'HMAC',
    'EvictControl',
  ] as const)(
    'a failure at %s leaves the old key in place, nothing loaded, and the next import works',
    async (name) => {
      const blob = await tpmd.wrap(randomBytes(32));
      proxy.play(name, { kind: 'code', code: 0x101 });
      expect(await tpmd.import(blob)).toEqual(INTERNAL);
      await oldKeySigns();
      await nothingIsLoaded();
      expect(await tpmd.import(blob)).toEqual({ status: 200, body: {} });
      await nothingIsLoaded();
    },
  );
});
