import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { IdType, Principal, Settings } from './settings.ts';
import { createWorld, type Running, type World } from './testing/world.ts';

const worlds: World[] = [];
afterEach(() => Promise.all(worlds.splice(0).map((world) => world.close())));

const principal = (uid: number, name: string, idTypes?: IdType[]): Principal => ({
  uid,
  name,
  idTypes,
  localPurpose: undefined,
});
const READY = 'Starting server...';
const LIST = '/devices/Dev-01/modules';
const modulePath = (id: string, type = '?type=aziot') => `/identities/modules/${id}${type}`;

async function ready(over: Partial<Settings> = {}): Promise<{ world: World; daemon: Running }> {
  const world = await createWorld({ principals: [principal(4001, 'm1', ['module'])], ...over });
  worlds.push(world);
  const daemon = await world.start();
  await daemon.logs(READY);
  world.cloud.lines.length = 0;
  return { world, daemon };
}

describe('modules', () => {
  it('IS-067, IS-069: creates with the derived keys, and the handle signs with the primary one', async () => {
    const { world, daemon } = await ready();
    const { body } = await daemon.call(0, 'POST', '/identities/modules', { type: 'aziot', moduleId: 'new' });
    const { genId, auth } = body.spec;
    expect(body).toEqual({
      type: 'aziot',
      spec: {
        hubName: 'hub1.iot.test',
        gatewayHost: 'hub1.iot.test',
        deviceId: 'Dev-01',
        moduleId: 'new',
        genId,
        auth,
      },
    });
    const derive = (slot: string) =>
      createHmac('sha256', Buffer.alloc(32, 1)).update(`new:${genId}:${slot}`).digest('base64');
    expect(world.cloud.modules.get('new')?.authentication).toEqual({
      symmetricKey: { primaryKey: derive('primary'), secondaryKey: derive('secondary') },
      type: 'sas',
    });
    const signed = await world.keyd.sign(auth.keyHandle, { algorithm: 'HMAC-SHA256', message: Buffer.from('x') });
    expect(signed).toEqual(
      createHmac('sha256', Buffer.from(derive('primary'), 'base64'))
        .update('x')
        .digest(),
    );
  });

  it('IS-068: makes the master key once, with its usages, where it is missing', async () => {
    const world = await createWorld({ principals: [principal(1, 'm1', ['module'])] });
    worlds.push(world);
    world.keyd.keys.delete('aziot_identityd_master_id');
    await (await world.start()).logs(READY);
    expect(world.keyd.calls.filter((call) => call.startsWith('createKey '))).toEqual([
      'createKey aziot_identityd_master_id derive,sign',
    ]);
  });

  it('IS-070: an existing module is not touched, and the text of the hub is passed on', async () => {
    const { world, daemon } = await ready();
    const before = { ...world.cloud.modules.get('m1') };
    expect((await daemon.call(0, 'POST', '/identities/modules', { type: 'aziot', moduleId: 'm1' })).body.message).toBe(
      'Hub client error\ncaused by: ErrorCode:ModuleAlreadyExistsOnDevice;',
    );
    expect(world.cloud.modules.get('m1')).toEqual(before);
  });

  it('a creation whose second half failed is finished by the next try', async () => {
    const { world, daemon } = await ready();
    let puts = 0;
    world.cloud.script = (line) =>
      line === `PUT ${LIST}/half` && ++puts === 2 ? { status: 400, body: { Message: 'no' } } : undefined;
    const create = () => daemon.call(0, 'POST', '/identities/modules', { type: 'aziot', moduleId: 'half' });
    expect((await create()).status).toBe(404);
    expect((await create()).status).toBe(200);
    expect(world.cloud.modules.get('half')?.authentication).toMatchObject({ type: 'sas' });
  });

  it('IS-071: an update asserts the keys again', async () => {
    const { world, daemon } = await ready();
    const record = world.cloud.modules.get('m1')!;
    const keys = record.authentication;
    record.authentication = null;
    record.managedBy = 'somebody';
    expect((await daemon.call(0, 'PUT', modulePath('m1'))).status).toBe(200);
    expect([record.authentication, record.managedBy]).toEqual([keys, null]);
    expect(world.cloud.lines).toEqual([`GET ${LIST}/m1`, `PUT ${LIST}/m1`]);
  });

  it('IS-072, IS-073, IS-029: what type asks for, after the rights', async () => {
    const { daemon } = await ready();
    const missing = {
      status: 400,
      body: { message: 'parameter "type" has an invalid value\ncaused by: missing parameter' },
    };
    expect(await daemon.call(0, 'PUT', modulePath('m1', ''))).toEqual(missing);
    expect(await daemon.call(0, 'GET', '/identities/modules')).toEqual(missing);
    const wrong = (type: string) => `parameter "type" has an invalid value\ncaused by: invalid type: ${type}`;
    expect((await daemon.call(0, 'DELETE', modulePath('m1', '?type=local'))).body.message).toBe(wrong('local'));
    expect((await daemon.call(0, 'GET', modulePath('m1', '?type=zzz&type=aziot'))).body.message).toBe(wrong('zzz'));
    expect((await daemon.call(0, 'POST', '/identities/modules', { type: 'odd', moduleId: 'x' })).body.message).toBe(
      wrong('odd'),
    );
    expect((await daemon.call(9, 'GET', '/identities/modules')).status).toBe(401);
  });

  it('IS-073: a deletion removes the cache file; an unknown module is a 404', async () => {
    const { world, daemon } = await ready();
    const before = (await import('node:fs')).readdirSync(join(world.homedir, 'modules'), { recursive: true });
    expect(before).toHaveLength(2);
    expect(await daemon.call(0, 'DELETE', modulePath('m1'))).toEqual({ status: 204, body: undefined });
    expect((await import('node:fs')).readdirSync(join(world.homedir, 'modules'), { recursive: true })).toHaveLength(1);
    expect((await daemon.call(0, 'DELETE', modulePath('m1'))).body.message).toBe(
      'Hub client error\ncaused by: unexpected HTTP status code: 404 Not Found',
    );
  });

  it('IS-074, IS-075: ids that the hub cannot take never reach it', async () => {
    const { world, daemon } = await ready();
    expect((await daemon.call(0, 'GET', modulePath('%20'))).body.message).toBe(
      'parameter "module_id" has an invalid value\ncaused by: module name cannot be empty',
    );
    for (const id of ['a%2F..%2Fb', '..', '%2E', 'a%20b', '%C3%A9', 'a%5Cb', 'a%00b', 'x'.repeat(129)]) {
      expect((await daemon.call(0, 'GET', modulePath(id))).status).toBe(400);
      expect((await daemon.call(0, 'PUT', modulePath(id))).status).toBe(400);
      expect((await daemon.call(0, 'DELETE', modulePath(id))).status).toBe(400);
    }
    expect((await daemon.call(0, 'POST', '/identities/modules', { type: 'aziot', moduleId: '../x' })).status).toBe(400);
    expect(world.cloud.lines).toEqual([]);
    expect((await daemon.call(0, 'GET', modulePath('%24edgeAgent'))).body.message).toBe(
      'Hub client error\ncaused by: module $edgeAgent not found',
    );
  });

  it('IS-076: a record without generation id', async () => {
    const { world, daemon } = await ready();
    world.cloud.script = () => ({ status: 200, body: { moduleId: 'm1', deviceId: 'Dev-01' } });
    expect(await daemon.call(0, 'PUT', modulePath('m1'))).toEqual({
      status: 400,
      body: { message: 'module identity not found' },
    });
  });

  it('IS-077: with the hub away the cache answers; preferring it asks no hub', async () => {
    const { world, daemon } = await ready();
    world.cloud.script = () => ({ fails: 'timed-out' });
    expect((await daemon.call(4001, 'GET', '/identities/identity')).body.spec.moduleId).toBe('m1');
    expect((await daemon.call(0, 'GET', '/identities/modules?type=aziot')).body.identities).toHaveLength(1);
    world.settings = { ...world.settings, preferModuleCache: true };
    world.cloud.lines.length = 0;
    expect((await daemon.call(0, 'GET', modulePath('m1'))).status).toBe(200);
    expect((await daemon.call(0, 'GET', '/identities/modules?type=aziot')).body.identities).toHaveLength(1);
    expect(world.cloud.lines).toEqual([]);
  });

  it('IS-078: a module that is gone from the hub is gone from the cache', async () => {
    const { world, daemon } = await ready();
    world.cloud.modules.delete('m1');
    expect((await daemon.call(0, 'GET', modulePath('m1'))).body.message).toBe(
      'Hub client error\ncaused by: module m1 not found',
    );
    world.cloud.script = () => ({ fails: 'not-connected' });
    expect((await daemon.call(0, 'GET', modulePath('m1'))).status).toBe(404);
  });

  it('a refusal by the hub is not covered up by the cache', async () => {
    const { world, daemon } = await ready();
    world.cloud.script = () => ({ status: 401, body: { Message: 'no' } });
    expect((await daemon.call(0, 'GET', modulePath('m1'))).body.message).toBe('Hub client error\ncaused by: no');
  });

  it('IS-079: lists carry no auth and hold what others made', async () => {
    const { world, daemon } = await ready();
    world.cloud.add('foreign');
    const { identities } = (await daemon.call(0, 'GET', '/identities/modules?type=aziot')).body;
    expect(
      identities.map((entry: { spec: { moduleId: string; auth?: unknown } }) => [entry.spec.moduleId, entry.spec.auth]),
    ).toEqual([
      ['m1', undefined],
      ['foreign', undefined],
    ]);
  });

  it('IS-080: the cache file is where the formula says', async () => {
    const { world, daemon } = await ready();
    await daemon.call(0, 'POST', '/identities/modules', { type: 'aziot', moduleId: 'my-mod_1' });
    const folder =
      'modules/a8b2a5056ff02fa39d58280c44bf6ec3f24c7f630fb38de3ae9936692d189bb5-6e1372d5a6cb78cbe558a799042e6e08e8fdd4d77e6afa65ffd2a0a245c9be4a';
    const names = (await import('node:fs')).readdirSync(join(world.homedir, folder));
    expect(names.filter((name) => name.startsWith('mymod1-'))).toHaveLength(1);
    expect(await world.read(`${folder}/m1-ca0df2c95aa144c1d0ff2ff3c8f967fdc1de9ef0c4120b3726416701b519d619`)).toMatch(
      /^\{"moduleId":"m1","deviceId":"Dev-01","generationId":"\d+"\}$/,
    );
  });

  it('IS-058: a gateway is what is connected to and shown, beside the hub', async () => {
    const world = await createWorld();
    worlds.push(world);
    if (world.settings.provisioning.source !== 'manual') throw new Error('fixture');
    world.settings = { ...world.settings, provisioning: { ...world.settings.provisioning, gateway: 'gw.iot.test' } };
    const daemon = await world.start();
    await daemon.logs(READY);
    expect((await daemon.call(0, 'POST', '/identities/device', { type: '' })).body.spec).toMatchObject({
      hubName: 'hub1.iot.test',
      gatewayHost: 'gw.iot.test',
    });
  });
});
