import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { cloudOf, startIdentityd } from '../cloud/index.ts';
import { expectError, expectStatus, group, type World } from '../runner/index.ts';
import {
  cloudDevice,
  configureDevice,
  DEVICE,
  deviceIdentity,
  getModule,
  reprovision,
  seen,
  settled,
  startAgain,
  startedDevice,
  stateFile,
} from './cloud-device.ts';

/** Cuts DPS off, the hub, or both. */
function cut(world: World, ...services: readonly ('dps' | 'hub')[]): void {
  const { cloud, proxy } = cloudOf(world);
  for (const service of services) proxy.cut(cloud.facts[service].hostName);
}

const writeState = (world: World, name: string, text: string): Promise<void> =>
  writeFile(world.path('identityd', 'home', name), text);

/** How often DPS was asked to register. */
async function registrations(world: World): Promise<number> {
  return (await seen(world, 'dps')).filter(({ method }) => method === 'PUT').length;
}

async function generations(world: World): Promise<Record<string, string>> {
  const modules = await cloudOf(world).cloud.modules(DEVICE);
  return Object.fromEntries([...modules].map(([id, { generationId }]) => [id, generationId]));
}

export const starts = group('identityd starts with a cloud', {
  'IS-047': [
    'a device that is known starts without DPS',
    'spec',
    async (context) => {
      const { world, cloud } = await startedDevice(context, { way: 'dps' });
      await startAgain(world, async () => {
        cut(world, 'dps');
        await cloud.clearJournal();
      });
      assert.deepEqual(await seen(world, 'dps'), []);
      assert.equal((await deviceIdentity(world))['deviceId'], DEVICE);
    },
  ],
  'IS-051': [
    'a device_info that cannot be read is removed, and DPS is asked',
    'spec',
    async (context) => {
      const { world } = await cloudDevice(context, { way: 'dps' });
      await writeState(world, 'device_info', 'garbage');
      const running = await startIdentityd(world);
      await settled(world);
      assert.equal(await registrations(world), 1);
      await running.logged(/WARN.*device.info/i, 5_000);
      assert.match(await stateFile(world, 'device_info'), /hub_name/);
    },
  ],
  'IS-055/kept': [
    'a device that DPS refuses to register anew still tells its old identity',
    'spec',
    async (context) => {
      const { world, cloud } = await startedDevice(context, { way: 'dps' });
      await cloud.removeEnrolment('Reg-01');
      expectError(await reprovision(world), 404);
      assert.equal((await deviceIdentity(world))['deviceId'], DEVICE);
    },
  ],
  'IS-056': [
    'reprovisioning with a body that is no JSON is 422, without a body it goes on',
    'spec',
    async (context) => {
      const { world } = await startedDevice(context);
      expectError(await reprovision(world, 'not json'), 422);
      expectStatus(await reprovision(world, null), 204);
    },
  ],
  'IS-062': [
    'a start removes modules that are no principals any more, keeps those that are, makes new ones, leaves those of others',
    'spec',
    async (context) => {
      const { world, cloud } = await startedDevice(context, { modules: ['old', 'kept'] });
      await getModule(world, 'kept');
      await cloud.putModule(DEVICE, 'foreign');
      const before = await generations(world);
      await startAgain(world, () => configureDevice(world, { modules: ['kept', 'new'] }));
      await getModule(world, 'new');
      const after = await generations(world);
      assert.deepEqual(Object.keys(after).toSorted(), ['foreign', 'kept', 'new']);
      assert.deepEqual([after['kept'], after['foreign']], [before['kept'], before['foreign']]);
    },
  ],
  'IS-066': [
    'a start that the hub cut off leaves the state files as they were',
    'spec',
    async (context) => {
      const { world, cloud } = await startedDevice(context, { modules: ['m'] });
      await getModule(world, 'm');
      const before = await stateFile(world, 'prev_state');
      await startAgain(world, async () => {
        await configureDevice(world, { modules: ['m', 'second'] });
        const body = '{"Message":"ErrorCode:ArgumentInvalid;no"}';
        const headers = { 'content-type': 'application/json' };
        await cloud.fault('hub', { kind: 'status', status: 400, body, headers }, { where: 'PUT' });
      });
      await getModule(world, 'second');
      assert.equal(await stateFile(world, 'prev_state'), before);
    },
  ],
});
