import assert from 'node:assert/strict';
import { symlink } from 'node:fs/promises';
import { type Context, expectError, expectStatus, type Group, group, WireConnection } from '../runner/index.ts';
import { busyConnections, transportGroups } from '../transport/index.ts';
import { Caller } from './caller.ts';
import { USER } from './world.ts';

const main = '[aziot_keys]\nhomedir_path = "@ROOT@/keyd/home"\n';

/** Runs requirements of the transport on keyd: the checklist of the keys service names them again. */
function asTransport(...ids: readonly string[]) {
  return async (context: Context): Promise<void> => {
    for (const id of ids) {
      const found = transportGroups.flatMap(({ requirements }) => requirements).find((one) => one.id === id);
      if (!found) assert.fail(`the transport has no requirement ${id}`);
      await found.run(context);
      await context.endRequirement();
    }
  };
}

/** Requirements on start, settings and socket that the checklist of the keys service names. */
export const keydProcess: Group = group('keyd process', {
  'KS-025': ['max_requests = 0 is a configuration error', 'spec', asTransport('TR-033/keyd')],
  'KS-038': [
    'a symbolic link among the drop-ins, and a file of another ending, are ignored',
    'reference-run',
    async (context) => {
      context.needRoot();
      const world = await context.fresh();
      const principal = (keys: string) => `[[principal]]\nuid = ${USER}\nkeys = ["${keys}"]\n`;
      await world.configure('keyd', { main, dropIns: { 'a.toml': principal('plain'), 'b.conf': principal('conf') } });
      await world.file('elsewhere.toml', principal('linked'));
      await symlink(world.path('elsewhere.toml'), world.path('keyd/config.d/x.toml'));
      await world.start('keyd');
      const user = new Caller(world, USER);
      await user.key('plain');
      for (const id of ['conf', 'linked']) expectError(await user.get(`/key/${id}`), 401);
    },
  ],
  'KS-039': [
    'of two drop-ins that set max_requests the later one counts',
    'spec',
    async (context) => {
      context.needRoot();
      const world = await context.fresh();
      const dropIns = { 'a.toml': 'max_requests = 9\n', 'b.toml': 'max_requests = 2\n' };
      await world.configure('keyd', { main, dropIns });
      await world.start('keyd');
      const target = '/key?api-version=2021-05-01';
      const busy = await busyConnections(world.socket('keyd'), 0, 2, target);
      const third = await WireConnection.open(world.socket('keyd'), 0);
      try {
        const body = { keyId: 'test', usage: 'sign' };
        const answer = third.ask({ method: 'POST', target, body }, 15_000);
        await world.running('keyd').logged(/Max simultaneous connections reached for user 0/, 15_000);
        busy.pop()?.close();
        expectStatus(await answer, 200);
      } finally {
        for (const connection of [third, ...busy]) connection.close();
      }
    },
  ],
  'KS-104': [
    'a socket of systemd is served and none is made; a LISTEN_PID of another process is ignored',
    'spec',
    asTransport('TR-037/keyd', 'TR-038/keyd'),
  ],
  'KS-105': [
    'a stale socket file is replaced, and the new one has mode 0660',
    'spec',
    asTransport('TR-034/keyd', 'TR-036/keyd'),
  ],
});
