import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Swtpm, swtpmIsMissing, TpmProxy } from '../conformance/tpm/index.ts';
import { hmac, Tpmd } from './support/tpmd.ts';

const HELLO = Buffer.from('hello');
const INTERNAL = { status: 500, body: { message: 'internal error' } };
const [SRK, SLOT, SPARE, EK] = [0x8100_0001, 0x8100_0100, 0x8140_0100, 0x8101_0001];
const PERSISTENT_FULL = 0x14b;
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
      ...['ReadPublic', 'ReadPublic', 'ReadPublic', 'ReadPublic -> 0x18b'],
      ...['StartAuthSession', 'PolicySecret', 'ActivateCredential', 'Import', 'Load', 'HMAC'],
      ...['EvictControl', 'EvictControl', 'EvictControl', 'EvictControl', 'FlushContext', 'FlushContext'],
    ]);
    await nothingIsLoaded();
    expect(await swtpm.handles('persistent')).toEqual([SRK, SLOT, EK]);
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

  const signature = async () => (await tpmd.sign(HELLO)).body['digest'];

  it.each([1, 2])(
    'a refusal of change %i of the places fails the import; the old key signs, the next import tidies up',
    async (number) => {
      const blob = await tpmd.wrap(randomBytes(32));
      proxy.play('EvictControl', { kind: 'code', code: 0x101 }, 1, number - 1);
      expect(await tpmd.import(blob)).toEqual(INTERNAL);
      await oldKeySigns();
      await nothingIsLoaded();
      expect(await tpmd.import(blob)).toEqual({ status: 200, body: {} });
      expect(await swtpm.handles('persistent')).toEqual([SRK, SLOT, EK]);
    },
  );

  it('a new key that cannot come to the place of the old one, which is gone, is used where it is, after a restart too', async () => {
    const next = randomBytes(32);
    proxy.play('EvictControl', { kind: 'code', code: 0x101 }, 1, 2);
    expect(await tpmd.import(await tpmd.wrap(next))).toEqual({ status: 200, body: {} });
    expect(await swtpm.handles('persistent')).toEqual([SRK, EK, SPARE].toSorted());
    expect(await signature()).toBe(hmac(next, HELLO));
    expect(await tpmd.restart(`tcti = "${proxy.tcti}"`)).toBe('serves');
    expect(await signature()).toBe(hmac(next, HELLO));
    expect(await tpmd.import(await tpmd.wrap(key))).toEqual({ status: 200, body: {} });
    await oldKeySigns();
    expect(await swtpm.handles('persistent')).toEqual([SRK, SLOT, EK]);
  });

  it('a copy that cannot be removed is removed by the next import', async () => {
    proxy.play('EvictControl', { kind: 'code', code: 0x101 }, 1, 3);
    const next = randomBytes(32);
    expect(await tpmd.import(await tpmd.wrap(next))).toEqual({ status: 200, body: {} });
    expect(await signature()).toBe(hmac(next, HELLO));
    expect(await tpmd.import(await tpmd.wrap(key))).toEqual({ status: 200, body: {} });
    await oldKeySigns();
    expect(await swtpm.handles('persistent')).toEqual([SRK, SLOT, EK]);
  });

  it.each([1, 2, 3, 4])(
    'tpmd killed before change %i of the places: there is a key after its restart',
    async (number) => {
      const next = randomBytes(32);
      const blob = await tpmd.wrap(next);
      const held = Promise.withResolvers<void>();
      proxy.play('EvictControl', { kind: 'hold', until: held.promise }, 1, number - 1);
      const cut = tpmd.import(blob).catch(() => 'cut off');
      const at = () => proxy.passed.filter(({ name }) => name === 'EvictControl').length;
      while (at() < number) await new Promise((turn) => setImmediate(turn));
      await tpmd.kill();
      expect(await cut).toBe('cut off');
      // what tpmd has sent, a TPM may do or not
      if (number % 2 === 0) held.resolve();
      proxy.calm();
      await swtpm.tool('tpm2_flushcontext', '-t');
      await swtpm.tool('tpm2_flushcontext', '-l');
      expect(await tpmd.restart(`tcti = "${proxy.tcti}"`)).toBe('serves');
      expect([hmac(key, HELLO), hmac(next, HELLO)]).toContain(await signature());
      expect(await tpmd.import(blob)).toEqual({ status: 200, body: {} });
      expect(await signature()).toBe(hmac(next, HELLO));
      expect(await swtpm.handles('persistent')).toEqual([SRK, SLOT, EK]);
    },
  );

  it.each([1, 2, 3, 4])(
    'a lost answer to change %i of the places: there is a key, and the next import works',
    async (number) => {
      const next = randomBytes(32);
      const blob = await tpmd.wrap(next);
      proxy.play('EvictControl', { kind: 'lose' }, 1, number - 1);
      const { status } = await tpmd.import(blob);
      const expected = status === 200 ? [hmac(next, HELLO)] : [hmac(key, HELLO), hmac(next, HELLO)];
      expect(expected).toContain(await signature());
      await nothingIsLoaded();
      expect(await tpmd.import(blob)).toEqual({ status: 200, body: {} });
      expect(await signature()).toBe(hmac(next, HELLO));
      expect(await swtpm.handles('persistent')).toEqual([SRK, SLOT, EK]);
    },
  );

  it('a TPM without room for a copy: the old key goes first, and the new one is tried again', async () => {
    const next = randomBytes(32);
    proxy.play('EvictControl', { kind: 'code', code: PERSISTENT_FULL });
    proxy.play('EvictControl', { kind: 'code', code: 0x101 }, 2, 1);
    expect(await tpmd.import(await tpmd.wrap(next))).toEqual({ status: 200, body: {} });
    expect(await signature()).toBe(hmac(next, HELLO));
    expect(await swtpm.handles('persistent')).toEqual([SRK, SLOT, EK]);
    await nothingIsLoaded();
  });

  it("somebody else's object in the spare place is kept", async () => {
    await swtpm.tool('tpm2_createprimary', '-C', 'o', '-G', 'ecc', '-c', 'other.ctx');
    await swtpm.tool('tpm2_evictcontrol', '-C', 'o', '-c', 'other.ctx', '0x81400100');
    await swtpm.tool('tpm2_flushcontext', '-t');
    const next = randomBytes(32);
    expect(await tpmd.import(await tpmd.wrap(next))).toEqual({ status: 200, body: {} });
    expect(await signature()).toBe(hmac(next, HELLO));
    expect(await swtpm.handles('persistent')).toContain(SPARE);
    await swtpm.tool('tpm2_evictcontrol', '-C', 'o', '-c', '0x81400100');
  });

  it.each(['Load', 'StartAuthSession', 'HMAC_Start'] as const)(
    'what a lost answer to %s has left loaded is unloaded before the next operation',
    async (name) => {
      const blob = await tpmd.wrap(randomBytes(32));
      proxy.play(name, { kind: 'lose' });
      expect(name === 'HMAC_Start' ? await tpmd.sign(Buffer.alloc(3000)) : await tpmd.import(blob)).toEqual(INTERNAL);
      await oldKeySigns();
      await nothingIsLoaded();
    },
  );
});
