import { afterAll, expect, it } from 'vitest';
import { configureIssuedDevice, createIdentityWorld, type IdentityWorld } from './identity-world.ts';

const DAEMONS = ['keyd', 'certd', 'identityd'] as const;
const DEVICE = ['identityd', 'POST', '/identities/device', { type: 'aziot' }] as const;
const ORDERS = DAEMONS.flatMap((first) =>
  DAEMONS.filter((name) => name !== first).map((second) => {
    const third = DAEMONS.find((name) => name !== first && name !== second);
    return [first, second, third ?? first] as const;
  }),
);

const worlds: IdentityWorld[] = [];
afterAll(() => Promise.all(worlds.splice(0).map((world) => world.close())));

/** A device that is provisioned by DPS with a certificate of its own CA; all three daemons have had their part in that. */
async function provisionedOnce(): Promise<{ world: IdentityWorld; genId: string }> {
  const world = await createIdentityWorld();
  worlds.push(world);
  await configureIssuedDevice(world, 'Dev-X');
  for (const name of DAEMONS) await world.start(name);
  await world.logs('identityd', 'Identity reconciliation complete.');
  const { genId } = (await world.call('identityd', 'GET', '/identities/modules/m1?type=aziot')).body.spec;
  for (const name of DAEMONS) await world.stop(name, 'SIGKILL');
  return { world, genId };
}

it.concurrent.each(ORDERS)(
  'a device provisioned once serves identities with the network unplugged: %s, %s, %s',
  async (...order) => {
    const { world, genId } = await provisionedOnce();
    await world.unplug();
    let held: ReturnType<IdentityWorld['call']> | undefined;
    for (const name of order) {
      await world.start(name);
      // whoever comes before all daemons are up waits, and gets the device
      if (name === 'identityd') held = world.call(...DEVICE);
    }
    expect((await held)?.body.spec).toMatchObject({ deviceId: 'Dev-X', auth: { type: 'x509', certId: 'idcert' } });
    await world.logs('identityd', 'Network not available');
    const { status, body, headers } = await world.call('identityd', 'GET', '/identities/modules/m1?type=aziot');
    expect([status, body.spec?.genId, /^\d+$/.test(String(headers['age']))]).toEqual([200, genId, true]);
    const list = await world.call('identityd', 'GET', '/identities/modules?type=aziot');
    expect(list.body.identities.map(({ spec }: { spec: { moduleId: string } }) => spec.moduleId)).toEqual(['m1']);
    const message = Buffer.from('x').toString('base64');
    const { keyHandle } = body.spec.auth;
    const signed = await world.call('keyd', 'POST', '/sign', {
      keyHandle,
      algorithm: 'HMAC-SHA256',
      parameters: { message },
    });
    expect(signed.status).toBe(200);
  },
);
