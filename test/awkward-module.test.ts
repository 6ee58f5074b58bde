import { readdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AwkwardToken, KeydCaller } from './awkward-pkcs11/awkward-token.ts';
import { Device, KEYD_V, softHsmModule, until } from './support/device.ts';

let device: Device;
let token: AwkwardToken;
let keyd: KeydCaller;
beforeEach(() => {
  device = new Device();
  keyd = new KeydCaller(device);
});
afterEach(() => device.close());

/** Starts keyd on the awkward module, with a preloaded key in a file beside it. */
async function start(orders: string[] = [], more = ''): Promise<void> {
  token = new AwkwardToken(device);
  token.order(...orders);
  const given = device.file('given', Buffer.alloc(32, 1));
  device.configure(
    'keyd',
    `[pkcs11]\ndeadline_seconds = 2\n${more}\n[aziot_keys]\nhomedir_path = "${device.path('keyd')}"\n${token.parameters}\n[preloaded_keys]\nin-file = "file://${given}"`,
  );
  await device.start('keyd');
}

const keyFiles = () => readdirSync(device.path('keyd/keys')).filter((name) => name.endsWith('.key'));

/** The token serves this key again, without help. */
const recovers = (handle: string, mac: string | undefined) =>
  until(
    async () => (await keyd.hmac(handle)).mac === mac,
    15_000,
    () => `keyd did not recover:\n${device.log('keyd')}`,
  );

describe.skipIf(!softHsmModule)('a token module that misbehaves (skipped without SoftHSM)', () => {
  it('one session only: everybody gets it in turn', async () => {
    await start(['session-limit 1']);
    const { handle } = await keyd.pair('ec');
    let made = false;
    const making = keyd.pair('rsa', 'rsa-2048').finally(() => {
      made = true;
    });
    // whichever comes first: some signatures are asked for while the session makes the key
    while (!made) {
      const all = await Promise.all(Array.from({ length: 10 }, () => keyd.ecdsa(handle)));
      expect(new Set(all)).toEqual(new Set([200]));
    }
    expect((await making).status).toBe(200);
    expect(token.results('C_OpenSession')).toContain('0xb1');
  });

  it('each operation is done once in the token, not a second time for the length of its result', async () => {
    await start();
    const [pair, key] = [await keyd.pair('ec'), await keyd.key('k')];
    await keyd.hmac(key.handle);
    const before = token.results('C_Sign').length;
    for (let times = 0; times < 3; times++) expect(await keyd.ecdsa(pair.handle)).toBe(200);
    expect(token.results('C_Sign').length - before).toBe(3);
    for (let times = 0; times < 3; times++) expect((await keyd.hmac(key.handle)).status).toBe(200);
    expect(token.results('C_Sign').length - before).toBe(6);
  });

  it('a buffer that is too small: a larger one is given', async () => {
    await start(['small-buffer 60000']);
    const { handle } = await keyd.pair('ec');
    expect(await keyd.ecdsa(handle)).toBe(200);
    const key = await keyd.key('k');
    expect((await keyd.hmac(key.handle)).status).toBe(200);
    expect((await keyd.key('a', 'encrypt')).status).toBe(200);
    expect(await keyd.stores('a')).toEqual(['token present']);
    expect(token.results('C_Sign')).toContain('0x150');
  });

  it('a removed device: a clear error, file keys serve, it works again when it is back', async () => {
    await start();
    const [inFile, inToken] = [await keyd.key('in-file'), await keyd.key('k')];
    const before = await keyd.hmac(inToken.handle);
    token.order('removed');
    expect((await keyd.hmac(inToken.handle)).status).toBe(500);
    await device.logged('keyd', /!!! .*token "device": hmac failed: .*no token is labelled|CKR_DEVICE_REMOVED/);
    expect((await keyd.hmac(inFile.handle)).status).toBe(200);
    expect(await keyd.stores('in-file')).toEqual(['file present']);
    token.order();
    expect(await keyd.hmac(inToken.handle)).toEqual(before);
  });

  it.each(['logout-once', 'finalize-once'])(
    '%s behind our back: keyd logs in again, no key is taken for missing',
    async (order) => {
      await start();
      const key = await keyd.key('k');
      const before = await keyd.hmac(key.handle);
      for (const ask of [
        () => keyd.hmac(key.handle),
        async () => keyd.hmac((await keyd.key('k')).handle),
        async () => keyd.hmac((await keyd.key('k', 'derive')).handle),
      ]) {
        token.order(order, `# ${Math.random()}`);
        expect(await ask()).toEqual(before);
      }
      expect(token.results(order).length).toBeGreaterThan(0);
      token.order(order);
      expect(
        (await device.call('keyd', 'DELETE', '/key?api-version=2021-05-01', { keyHandle: key.handle })).status,
      ).toBe(204);
      expect(await keyd.stores('k')).toEqual([]);
    },
  );

  it('a call that hangs: the requests in flight fail at the deadline, file keys do not wait, then it recovers', async () => {
    await start();
    const [inFile, inToken] = [await keyd.key('in-file'), await keyd.key('k')];
    const { mac } = await keyd.hmac(inToken.handle);
    token.order('hang C_SignInit');
    const order: string[] = [];
    const hung = Promise.all(
      Array.from({ length: 3 }, async () => {
        const { status } = await keyd.hmac(inToken.handle);
        order.push(`token ${status}`);
      }),
    );
    for (let each = 0; each < 5; each++) {
      expect((await keyd.hmac(inFile.handle)).status).toBe(200);
      order.push('file');
    }
    await hung;
    expect(order).toEqual([...Array(5).fill('file'), ...Array(3).fill('token 500')]);
    await device.logged('keyd', /the PKCS#11 module did not answer hmac within 2000 ms and was stopped; 3 requests/);
    token.order();
    await recovers(inToken.handle, mac);
    expect(await keyd.counters()).toMatchObject({ token_host_ends: 1 });
  });

  it('a module that was found hung: nobody waits for it any more, and file keys are loaded as before', async () => {
    await start();
    const [inFile, inToken] = [await keyd.key('in-file'), await keyd.key('k')];
    const { mac } = await keyd.hmac(inToken.handle);
    token.order('hang C_SignInit');
    const sign = (keyHandle: string) =>
      device.call('keyd', 'POST', `/sign?${KEYD_V}`, {
        keyHandle,
        algorithm: 'HMAC-SHA256',
        parameters: { message: 'aGVsbG8=' },
      });
    expect(await sign(inToken.handle)).toMatchObject({
      status: 500,
      body: { message: 'internal error\ncaused by: the token did not answer in time' },
    });
    const asked = performance.now();
    for (let each = 0; each < 5; each++) {
      expect(await sign(inToken.handle)).toMatchObject({
        status: 503,
        retryAfter: expect.stringMatching(/^[1-9]$/),
        body: { message: 'the token that holds the key does not answer' },
      });
      // only the token could sign a new handle: the one from before is given out again
      expect(await keyd.key('in-file')).toEqual(inFile);
      expect((await keyd.hmac(inFile.handle)).status).toBe(200);
    }
    expect(performance.now() - asked).toBeLessThan(1500);
    await device.logged(
      'keyd',
      /!!! the token that holds the key does not answer\n.*caused by: the PKCS#11 module did not/,
    );
    token.order();
    await recovers(inToken.handle, mac);
    expect((await keyd.key('in-file')).handle, 'handles are new again').not.toBe(inFile.handle);
  });

  it('a handle that this keyd has not seen waits until the deadline once, then is refused at once', async () => {
    await start();
    const older = [await keyd.key('in-file'), await keyd.key('in-file')].map(({ handle }) => handle);
    await device.stop('keyd');
    await device.start('keyd');
    const loaded = await keyd.key('in-file');
    token.order('hang C_SignInit');
    const first = keyd.hmac(older[0] ?? '');
    expect((await keyd.hmac(loaded.handle)).status, 'a handle of this run does not wait').toBe(200);
    expect((await first).status).toBe(503);
    const asked = performance.now();
    expect((await keyd.hmac(older[1] ?? '')).status).toBe(503);
    expect(performance.now() - asked).toBeLessThan(500);
    token.order();
    await until(
      async () => (await keyd.hmac(older[1] ?? '')).status === 200,
      15_000,
      () => device.log('keyd'),
    );
  });

  it('a crash: the request fails, keyd and file keys live on, then it recovers', async () => {
    await start();
    const [inFile, inToken] = [await keyd.key('in-file'), await keyd.key('k')];
    const { mac } = await keyd.hmac(inToken.handle);
    token.order('crash C_SignInit');
    expect((await keyd.hmac(inToken.handle)).status).toBe(500);
    await device.logged('keyd', /the token host ended \(SIGSEGV\); 1 requests to the token failed/);
    expect((await keyd.hmac(inFile.handle)).status).toBe(200);
    token.order();
    await recovers(inToken.handle, mac);
    expect(device.alive('keyd')).toBe(true);
  });

  it('no AES-GCM: a key for encryption goes to a file, with a warning, a counter, and in the list', async () => {
    await start(['no-mechanism 0x1087']);
    expect((await keyd.key('a', 'encrypt')).status).toBe(200);
    expect((await keyd.key('k')).status).toBe(200);
    expect(await keyd.stores('a')).toEqual(['file present']);
    expect(await keyd.stores('k')).toEqual(['token present']);
    expect(await keyd.counters()).toMatchObject({ token_fallbacks: 1 });
    expect(device.log('keyd')).toMatch(/<4>.*the token cannot hold key "a"; it lives in a file now/);
  });

  it('no AES-GCM and fallback = "refuse": 500, nothing in a file, the reason in the log', async () => {
    await start(['no-mechanism 0x1087'], 'fallback = "refuse"');
    expect((await keyd.key('a', 'encrypt')).status).toBe(500);
    expect(await keyd.stores('a')).toEqual([]);
    expect(await keyd.counters()).toMatchObject({ token_fallbacks: 0, token_fallbacks_refused: 1 });
    expect(device.log('keyd')).toMatch(/!!! .*the token cannot hold key "a", and pkcs11.fallback is "refuse"/);
  });

  it('KS-096: no generic secrets: the key that signs handles is in a file, pairs are in the token, and file keys never wait', async () => {
    await start(['no-mechanism 0x350']);
    const pair = await keyd.pair('ec');
    const key = await keyd.key('k');
    expect(await keyd.ecdsa(pair.handle)).toBe(200);
    expect(keyFiles().map((name) => name.split('-')[0])).toEqual(['handlevalidationkey', 'k']);
    expect(await keyd.stores('ec')).toEqual(['token present']);
    token.order('hang C_SignInit');
    let ended = false;
    const hung = keyd.ecdsa(pair.handle).finally(() => {
      ended = true;
    });
    // handles that were never seen before, for a key that only a file has
    for (let each = 0; each < 3; each++) expect((await keyd.hmac((await keyd.key('k')).handle)).status).toBe(200);
    expect((await keyd.hmac(key.handle)).status).toBe(200);
    expect(ended).toBe(false);
    expect(await hung).toBe(500);
  });

  it('the key that signs handles is in a file: after another start file keys do not wait for the token either', async () => {
    await start(['no-mechanism 0x350']);
    const { handle } = await keyd.key('in-file');
    await device.stop('keyd');
    const looks = token.results('C_FindObjects').length;
    await device.start('keyd');
    await until(
      () => token.results('C_FindObjects').length > looks,
      15_000,
      () => `the token was not asked at start:\n${device.log('keyd')}`,
    );
    token.order('hang C_FindObjectsInit', 'hang C_SignInit');
    const asked = performance.now();
    expect((await keyd.hmac(handle)).status).toBe(200);
    expect((await keyd.key('in-file')).status).toBe(200);
    expect(performance.now() - asked, 'less than the deadline of a call').toBeLessThan(1500);
  });

  it('KS-103: a module of Cryptoki 3.0 works, one older than 2.20 does not', async () => {
    await start(['version 3.0']);
    const { handle } = await keyd.pair('ec');
    expect(await keyd.ecdsa(handle)).toBe(200);
    await device.stop('keyd');
    token.order('version 2.11');
    await device.start('keyd');
    expect(await device.stop('keyd')).toBe(1);
    expect(device.log('keyd')).toMatch(/speaks Cryptoki 2\.11; 2\.20 or later is needed/);
  });
});
