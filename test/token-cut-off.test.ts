import { createHash, createHmac, createPublicKey, ECDH, verify } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AwkwardToken, KeydCaller } from './awkward-pkcs11/awkward-token.ts';
import { Device, KEYD_V, softHsmModule, until } from './support/device.ts';

const MESSAGE = Buffer.from('x');
let device: Device;
let token: AwkwardToken;
let keyd: KeydCaller;

/** A fresh keyd process on the awkward module. */
async function start(): Promise<void> {
  token = new AwkwardToken(device);
  device.configure('keyd', `[aziot_keys]\nhomedir_path = "${device.path('keyd')}"\n${token.parameters}`);
  await device.start('keyd');
}

beforeEach(() => {
  device = new Device();
  keyd = new KeydCaller(device);
});
afterEach(() => device.close());

const post = (path: string, body: unknown) => device.call('keyd', 'POST', `${path}?${KEYD_V}`, body);

/** The public point of a pair (base64, compressed) that has signed and verified with it; undefined where there is none. */
async function workingPoint(id: string): Promise<string | undefined> {
  const { status, body } = await device.call('keyd', 'GET', `/keypair/${id}?${KEYD_V}`);
  if (status !== 200) return undefined;
  const { keyHandle } = body;
  const point = (await post('/parameters/ec-point', { keyHandle })).body.value as string;
  const digest = createHash('sha256').update(MESSAGE).digest('base64');
  const { signature } = (await post('/sign', { keyHandle, algorithm: 'ECDSA', parameters: { digest } })).body;
  const whole = ECDH.convertKey(
    Buffer.from(point, 'base64'),
    'prime256v1',
    undefined,
    undefined,
    'uncompressed',
  ) as Buffer;
  const part = (from: number, to: number) => whole.subarray(from, to).toString('base64url');
  const key = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x: part(1, 33), y: part(33, 65) }, format: 'jwk' });
  expect(verify('sha256', MESSAGE, key, Buffer.from(signature, 'base64')), `${id} signs for its point`).toBe(true);
  return point;
}

/** Waits out the pause before another token host is started. */
async function back(): Promise<void> {
  token.order();
  await until(
    async () => (await keyd.key('any')).status === 200,
    15_000,
    () => device.log('keyd'),
  );
}

describe.skipIf(!softHsmModule)('a token that is cut off in the middle of a change (skipped without SoftHSM)', () => {
  it.each([
    ['C_SetAttributeValue', 0],
    ['C_SetAttributeValue', 1],
    ['C_DestroyObject', 0],
    ['C_DestroyObject', 1],
  ])('KS-101: a move that ends at %s, after %i: the old or the new pair, for good', async (name, calls) => {
    await start();
    await keyd.pair('old');
    await keyd.pair('new');
    const [older, newer] = [await workingPoint('old'), await workingPoint('new')];
    token.order(`crash-after ${name} ${calls}`);
    expect((await post('/keypair/old', { from: 'new' })).status).toBe(500);
    await back();
    const now = await workingPoint('old');
    expect([older, newer]).toContain(now);
    // before the last label is given, the new pair is still at its own id; later there is nothing that would need it
    if (name === 'C_SetAttributeValue') expect([now, await workingPoint('new')]).toEqual([older, newer]);
    await device.stop('keyd');
    await device.start('keyd');
    expect(await workingPoint('old'), 'the same after another start').toBe(now);
    await keyd.pair('new');
    const last = await workingPoint('new');
    expect((await post('/keypair/old', { from: 'new' })).status, 'the move works when it is repeated').toBe(204);
    expect([await workingPoint('old'), await workingPoint('new')]).toEqual([last, undefined]);
  });

  it.each(['C_CreateObject', 'C_DestroyObject'])('an import that ends at %s: the old or the new key', async (name) => {
    await start();
    const { handle } = await keyd.key('k');
    const { mac } = await keyd.hmac(handle);
    token.order(`crash ${name}`);
    const body = { keyId: 'k', usage: 'sign', keyBytes: Buffer.alloc(32, 5).toString('base64') };
    expect((await post('/key', body)).status).toBe(500);
    await back();
    const imported = createHmac('sha256', Buffer.alloc(32, 5)).update('hello').digest('base64');
    expect([mac, imported]).toContain((await keyd.hmac(handle)).mac);
    expect((await post('/key', body)).status).toBe(200);
    expect((await keyd.hmac(handle)).mac).toBe(imported);
  });

  it('an import that goes to a file and ends before the token is told: the old key is still there', async () => {
    await start();
    const { handle } = await keyd.key('k');
    const { mac } = await keyd.hmac(handle);
    token.order('fail C_CreateObject 0x13', 'crash C_DestroyObject');
    const body = { keyId: 'k', usage: 'sign', keyBytes: Buffer.alloc(32, 5).toString('base64') };
    expect((await post('/key', body)).status).toBe(500);
    await back();
    expect((await keyd.hmac(handle)).mac).toBe(mac);
    token.order('fail C_CreateObject 0x13');
    expect((await post('/key', body)).status).toBe(200);
    expect((await keyd.hmac(handle)).mac).not.toBe(mac);
    expect(await keyd.stores('k')).toEqual(['file present']);
  });
});
