import { createHash, createHmac } from 'node:crypto';
import { cp, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import vectors from '../fixtures/vectors/module-keys.json' with { type: 'json' };
import {
  configureIdentityd,
  configureKeyd,
  createIdentityWorld,
  enrolSymmetric,
  type IdentityWorld,
  symmetricProvisioning,
} from './identity-world.ts';

const FIXTURE = new URL('../fixtures/devices/identityd/', import.meta.url).pathname;
const IN_LINE = 'Identity reconciliation complete.';
const RECORDED_HUB = 'hub1.iot.test:8443';
const keysOf = (moduleId: string, generationId: string, slot: string) =>
  createHmac('sha256', Buffer.from(vectors.masterKey, 'base64'))
    .update(`${moduleId}:${generationId}:${slot}`)
    .digest('base64');

let world: IdentityWorld;
let home: string;
beforeEach(async () => {
  world = await createIdentityWorld();
  home = `${world.folder}/identityd-home`;
  const master = await world.write('master.bin', Buffer.from(vectors.masterKey, 'base64'));
  await configureKeyd(world, { aziot_identityd_master_id: `file://${master}` });
  enrolSymmetric(world);
  await configureIdentityd(world, symmetricProvisioning(world), ['m1']);
  await cp(join(FIXTURE, 'dps-symmetric'), home, { recursive: true });
  await world.start('keyd');
});
afterEach(() => world.close());

describe('the home directory of a reference device', () => {
  it('is enough without DPS and without the hub: the device, its module, and the key that the hub knows', async () => {
    await world.start('identityd');
    const device = await world.call('identityd', 'POST', '/identities/device', { type: 'aziot' });
    expect(device.body.spec).toMatchObject({ hubName: RECORDED_HUB, gatewayHost: RECORDED_HUB, deviceId: 'Dev-A' });
    await world.logs('identityd', 'Network not available');
    const { body, headers } = await world.call('identityd', 'GET', '/identities/modules/m1?type=aziot');
    const expected = vectors.cases.find(({ moduleId }) => moduleId === 'm1');
    expect(body.spec).toMatchObject({ moduleId: 'm1', genId: expected?.generationId });
    expect(Number(headers['age'])).toBeGreaterThanOrEqual(0);
    const message = Buffer.from('hello');
    const { keyHandle } = body.spec.auth;
    const parameters = { message: message.toString('base64') };
    const signed = await world.call('keyd', 'POST', '/sign', { keyHandle, algorithm: 'HMAC-SHA256', parameters });
    const key = Buffer.from(expected?.primary ?? '', 'base64');
    expect(signed.body.signature).toBe(createHmac('sha256', key).update(message).digest('base64'));
    expect(world.dps.journal.list()).toEqual([]);
    expect(await world.read('identityd-home/device_info')).toContain(`hub_name = "${RECORDED_HUB}"`);
  });

  it('with the hub there: keeps the module that the reference made, its generation and its keys', async () => {
    const hub = world.hub.hostName;
    world.hub.registry.upsertDevice({
      deviceId: 'Dev-A',
      authentication: { type: 'sas', primaryKey: Buffer.alloc(32, 4).toString('base64') },
    });
    const made = world.hub.registry.createModule('Dev-A', 'm1');
    const symmetricKey = {
      primaryKey: keysOf('m1', made.generationId, 'primary'),
      secondaryKey: keysOf('m1', made.generationId, 'secondary'),
    };
    const authentication = { type: 'sas', ...symmetricKey } as const;
    world.hub.registry.updateModule('Dev-A', 'm1', { kind: 'any' }, { authentication });
    const info = (await readFile(join(home, 'device_info'), 'utf8')).replaceAll(RECORDED_HUB, hub);
    await writeFile(join(home, 'device_info'), info);
    const [folder = ''] = await readdir(join(home, 'modules'));
    const hashed = createHash('sha256').update(hub).digest('hex');
    await rename(join(home, 'modules', folder), join(home, 'modules', `${hashed}-${folder.split('-')[1]}`));
    await world.start('identityd');
    await world.logs('identityd', IN_LINE);
    expect(world.hub.journal.list().map(({ method }) => method)).toEqual(['GET']);
    expect(world.dps.journal.list()).toEqual([]);
    const { body } = await world.call('identityd', 'PUT', '/identities/modules/m1?type=aziot', {});
    expect(body.spec.genId).toBe(made.generationId);
    expect(world.hub.registry.getModule('Dev-A', 'm1')?.authentication).toMatchObject(authentication);
  });

  it('IS-067: every vector, as the hub receives the keys', () => {
    for (const { moduleId, generationId, primary, secondary } of vectors.cases) {
      expect([keysOf(moduleId, generationId, 'primary'), keysOf(moduleId, generationId, 'secondary')]).toEqual([
        primary,
        secondary,
      ]);
    }
  });
});
