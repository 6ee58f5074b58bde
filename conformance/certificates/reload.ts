import assert from 'node:assert/strict';
import { type Context, expectError, expectStatus, group, stringMember, type WireResult } from '../runner/index.ts';
import { busyConnections } from '../transport/index.ts';
import { Caller } from './caller.ts';
import { certdWithLocalCa, STRANGER, USER } from './world.ts';

/** What was seen while the configuration of one certd changed; asked for once, as each change takes the debounce of ten seconds. */
interface Seen {
  readonly before: WireResult;
  readonly granted: WireResult;
  /** Requests of one uid that were served while as many were held back as the limit at start allows, and one less. */
  readonly line: { readonly belowLimit: 'served' | 'waits'; readonly atLimit: 'served' | 'waits' };
  /** After a file of broken TOML. */
  readonly whileBroken: WireResult;
  /** After a trusted certificate that is not there, and a second principal: that of before, and the new one. */
  readonly oldPrincipal: WireResult;
  readonly newPrincipal: WireResult;
}

const seenBy = new WeakMap<Context, Promise<Seen>>();
/** A change has to work within some 15 s (certificates-service.md 7); a busy machine takes longer. */
const LATEST_MS = 30_000;

/** Asks again until the status is there. */
async function until(status: number, ask: () => Promise<WireResult>): Promise<WireResult> {
  const deadline = performance.now() + LATEST_MS;
  for (;;) {
    const result = await ask();
    if (!result.closed && result.status === status) return result;
    assert.ok(performance.now() < deadline, `still no ${status} after ${LATEST_MS / 1000} s`);
    await new Promise((done) => setTimeout(done, 250));
  }
}

const principal = (uid: number, id: string) => `[[principal]]\nuid = ${uid}\ncerts = ["${id}"]\n`;

async function change(context: Context): Promise<Seen> {
  const world = await context.fresh();
  await certdWithLocalCa.build(world);
  await world.stop('certd');
  await world.file('certd/config.d/10-limit.toml', 'max_requests = 3\n');
  await world.start('certd');
  const [user, stranger, root] = [new Caller(world, USER), new Caller(world, STRANGER), new Caller(world)];
  const pem = stringMember(expectStatus(await root.get('local-ca'), 200), 'pem');

  const before = await user.put('late', pem);
  await world.file('certd/config.d/50.toml', principal(USER, 'late'));
  await world.file('certd/config.d/10-limit.toml', 'max_requests = 2\n');
  const granted = await until(201, () => user.put('late', pem));

  const socket = world.socket('certd');
  const served = async (busyCount: number) => {
    const busy = await busyConnections(socket, STRANGER, busyCount, '/certificates?api-version=2020-09-01');
    const asked = stranger.get('local-ca').then(() => 'served' as const);
    const waits = new Promise<'waits'>((done) => setTimeout(() => done('waits'), 700));
    const outcome = await Promise.race([asked, waits]);
    for (const connection of busy) connection.close();
    await asked;
    return outcome;
  };
  const line = { belowLimit: await served(2), atLimit: await served(3) };

  await world.file('certd/config.d/60.toml', 'broken [');
  await world.running('certd').logged(/\[WARN\].*60\.toml/, LATEST_MS);
  const whileBroken = await user.put('late', pem);

  await world.file('certd/config.d/60.toml', principal(STRANGER, 'later'));
  await world.file('certd/config.d/70.toml', '[cert_issuance.est]\ntrusted_certs = ["nosuch"]\n');
  await world.running('certd').logged(/\[WARN\].*"nosuch"/, LATEST_MS);
  return {
    before,
    granted,
    line,
    whileBroken,
    oldPrincipal: await user.put('late', pem),
    newPrincipal: await stranger.put('later', pem),
  };
}

function seen(context: Context): Promise<Seen> {
  context.needRoot();
  const known = seenBy.get(context) ?? change(context);
  seenBy.set(context, known);
  return known;
}

/** The recorded section "reload" and the two numbers that stand for it. */
export const reload = group('certd reload', {
  'CS-074': [
    'a principal that is added counts without a restart',
    'spec',
    async (context) => {
      const { before, granted } = await seen(context);
      expectError(before, 401);
      expectStatus(granted, 201);
    },
  ],
  'CS-074/broken': [
    'a configuration that cannot be read leaves the one before in force',
    'reference-run',
    async (context) => void expectStatus((await seen(context)).whileBroken, 201),
  ],
  'CS-074/whole': [
    'a trusted certificate that is not there costs the trust in it alone: principals of before and new ones count',
    'inferred',
    async (context) => {
      const { oldPrincipal, newPrincipal } = await seen(context);
      expectStatus(oldPrincipal, 201);
      expectStatus(newPrincipal, 201);
    },
  ],
  'CS-075': [
    'a limit of connections that is changed counts at the next start only',
    'spec',
    async (context) => assert.deepEqual((await seen(context)).line, { belowLimit: 'served', atLimit: 'waits' }),
  ],
});
