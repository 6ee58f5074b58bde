import assert from 'node:assert/strict';
import { rename, stat } from 'node:fs/promises';
import { type Context, expectError, expectStatus, group, type WireResult, type World } from '../runner/index.ts';
import { Caller } from './caller.ts';
import { fileName } from './key-files.ts';
import { USER } from './world.ts';

/** What was seen while the configuration of one keyd changed; asked for once, as each change takes the debounce of ten seconds. */
interface Seen {
  /** The answer to the user's request for its key: without a principal, with one, with broken TOML beside it, mended, and withdrawn. */
  readonly before: WireResult;
  readonly granted: WireResult;
  readonly whileBroken: WireResult;
  readonly mended: WireResult;
  readonly withdrawn: WireResult;
  /** The answer to a signature with a handle of before the principal was withdrawn. */
  readonly oldHandle: WireResult;
  readonly warning: string;
  /** Whether the key made after `homedir_path` was changed is in the old folder. */
  readonly madeIn: 'the old folder' | 'elsewhere';
}

const seenBy = new WeakMap<Context, Promise<Seen>>();

/** Asks again until the status is there; a change has to work within some 15 s (keys-service.md 2.5), 30 for a busy machine. */
async function until(status: number, ask: () => Promise<WireResult>): Promise<WireResult> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const result = await ask();
    if (!result.closed && result.status === status) return result;
    assert.ok(performance.now() < deadline, `still no ${status} after 30 s`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

const principal = (keys: string) => `[[principal]]\nuid = ${USER}\nkeys = ["${keys}"]\n`;

async function change(world: World): Promise<Seen> {
  const home = (folder: string) => `[aziot_keys]\nhomedir_path = "@ROOT@/keyd/${folder}"\n`;
  await world.configure('keyd', { main: home('home') });
  await world.start('keyd');
  const [root, user] = [new Caller(world), new Caller(world, USER)];
  const handle = await root.key('test');
  const ask = () => user.get('/key/test');
  const before = await ask();

  await world.file('keyd/config.d/50.toml', principal('test'));
  await world.file('keyd/config.d/60.toml', home('elsewhere'));
  const granted = await until(200, ask);
  await root.pair('made-later');
  const oldFolder = world.path('keyd/home/keys', fileName('made-later'));
  const madeIn = await stat(oldFolder).then(
    () => 'the old folder' as const,
    () => 'elsewhere' as const,
  );

  await world.file('keyd/config.d/70.toml', 'broken [');
  const [warning] = await world.running('keyd').logged(/^.*\[WARN\].*70\.toml.*$/m, 30_000);
  const whileBroken = await ask();

  await world.file('70.toml', principal('more'));
  await rename(world.path('70.toml'), world.path('keyd/config.d/70.toml'));
  const mended = await until(200, () => user.post('/key', { keyId: 'more', usage: 'sign' }));

  await world.file('keyd/config.d/50.toml', '');
  const withdrawn = await until(401, ask);
  const oldHandle = await user.signHmac(handle, 'm');
  return { before, granted, whileBroken, mended, withdrawn, oldHandle, warning, madeIn };
}

function seen(context: Context): Promise<Seen> {
  context.needRoot();
  const known = seenBy.get(context);
  if (known) return known;
  const made = context.fresh().then(change);
  seenBy.set(context, made);
  return made;
}

export const reload = group('keyd: changes of the configuration at run time', {
  'KS-035': [
    'a principal works soon after it was added, and no longer after it was removed; an old handle still signs',
    'spec',
    async (context) => {
      const { before, granted, withdrawn, oldHandle } = await seen(context);
      expectError(before, 401);
      expectStatus(granted, 200);
      expectError(withdrawn, 401, `user ${USER} is not authorized to access the key test`);
      expectStatus(oldHandle, 200);
    },
  ],
  'KS-036': [
    'broken TOML changes nothing and is warned about by name; mended by a rename, it counts',
    'spec',
    async (context) => {
      const { whileBroken, warning, mended } = await seen(context);
      expectStatus(whileBroken, 200);
      assert.match(warning, /^<4>/);
      expectStatus(mended, 200);
    },
  ],
  'KS-037': [
    'homedir_path has no effect until a restart',
    'spec',
    async (context) => assert.equal((await seen(context)).madeIn, 'the old folder'),
  ],
});
