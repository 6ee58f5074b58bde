import { afterEach, describe, expect, it } from 'vitest';
import type { Settings } from './settings.ts';
import { createWorld, type Running, type World } from './testing/world.ts';

const worlds: World[] = [];
afterEach(() => Promise.all(worlds.splice(0).map((world) => world.close())));

const READY = 'Starting server...';
const PATH = '/devices/Dev-01/modules/half';

async function ready(over: Partial<Settings> = {}): Promise<{ world: World; daemon: Running }> {
  const world = await createWorld(over);
  worlds.push(world);
  const daemon = await world.start();
  await daemon.logs(READY);
  return { world, daemon };
}

const create = (daemon: Running) => daemon.call(0, 'POST', '/identities/modules', { type: 'aziot', moduleId: 'half' });
const hasOurKeys = (world: World) => world.cloud.modules.get('half')?.authentication !== null;

describe('a module whose creation was cut off', () => {
  it('between the two requests, by the end of the daemon: the next one finishes it', async () => {
    const { world, daemon } = await ready();
    let puts = 0;
    world.cloud.script = (line) => (line === `PUT ${PATH}` && ++puts === 2 ? { fails: 'closed' } : undefined);
    expect((await create(daemon)).status).toBe(404);
    await daemon.stop();
    expect(hasOurKeys(world)).toBe(false);
    const again = await world.start();
    await again.logs(READY);
    expect((await create(again)).status).toBe(200);
    expect(hasOurKeys(world)).toBe(true);
    await again.stop();
    expect(await world.read('module_creations')).toBeUndefined();
  });

  it.each([
    ['was lost', { fails: 'closed' } as const],
    ['cannot be read', { status: 200, body: 'not a module' }],
  ])('when the answer to the first request %s: the next try finishes it', async (_, answer) => {
    const { world, daemon } = await ready();
    world.cloud.script = (line) => {
      if (line !== `PUT ${PATH}`) return undefined;
      world.cloud.script = undefined;
      world.cloud.add('half');
      return answer;
    };
    expect((await create(daemon)).status).toBe(404);
    expect((await create(daemon)).status).toBe(200);
    expect(hasOurKeys(world)).toBe(true);
  });

  it('when the answer was lost and the same call tried again: it succeeds', async () => {
    const { world, daemon } = await ready({ cloudRetries: 1 });
    world.cloud.script = (line) => {
      if (line !== `PUT ${PATH}`) return undefined;
      world.cloud.script = undefined;
      world.cloud.add('half');
      return { fails: 'closed' };
    };
    expect((await create(daemon)).status).toBe(200);
    expect(hasOurKeys(world)).toBe(true);
  });
});

describe('a module that somebody else made', () => {
  it('IS-070: is a conflict, now and after a lost answer, and is never touched', async () => {
    const { world, daemon } = await ready({ cloudRetries: 1 });
    world.cloud.add('half');
    expect((await daemon.call(0, 'GET', '/identities/modules?type=aziot')).body.identities).toHaveLength(1);
    expect((await create(daemon)).body.message).toContain('ModuleAlreadyExistsOnDevice');
    let lost = 0;
    world.cloud.script = (line) => (line === `PUT ${PATH}` && lost++ === 0 ? { fails: 'closed' } : undefined);
    expect((await create(daemon)).body.message).toContain('ModuleAlreadyExistsOnDevice');
    expect((await create(daemon)).status).toBe(404);
    expect(hasOurKeys(world)).toBe(false);
  });

  it('IS-070: a conflict leaves nothing behind that would turn the next one into a success', async () => {
    const { world, daemon } = await ready();
    world.cloud.add('half');
    expect((await create(daemon)).status).toBe(404);
    expect((await create(daemon)).status).toBe(404);
    expect(hasOurKeys(world)).toBe(false);
  });
});
