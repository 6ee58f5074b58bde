import assert from 'node:assert/strict';
import type { Context, Group, World } from '../runner/index.ts';
import { type Authorities, makeAuthorities } from './ca.ts';
import { NOT_REPLAYED, OWN, type RecordedScenario, recordedScenarios } from './recorded.ts';
import { configFor, replay } from './replay.ts';
import { type Responder, startResponder } from './responder.ts';
import { setUpKeys } from './set-up.ts';

let authorities: Promise<Authorities> | undefined;
const shared = () => {
  authorities ??= makeAuthorities();
  return authorities;
};

/** One server after the other on the same ports, so that a certd with the same configuration can stay. */
let ports: { readonly port: number; readonly httpPort: number } | undefined;
let inForce: { readonly world: World; readonly config: string } | undefined;

/** Scenarios that leave nothing behind share a keyd, and the certd too while the configuration is the same. */
const BASIC = /^(?!identity|bootstrap|trusted-unknown|proxy-bad-uri)/;

async function runScenario(context: Context, recorded: RecordedScenario): Promise<void> {
  const key = recorded.store === 'files' ? recorded.id : `${recorded.id}/softhsm`;
  const own = OWN[key] ?? {};
  const ca = await shared();
  const behaviour = own.server ?? recorded.server;
  const responder: Responder | undefined = behaviour ? await startResponder(ca, behaviour, ports) : undefined;
  ports ??= responder && { port: responder.port, httpPort: responder.httpPort };
  try {
    const world = await worldFor(context, recorded, ca);
    const env = recorded.id === 'proxy-bad-uri' ? { HTTPS_PROXY: 'http://[' } : {};
    const config = configFor(recorded, responder ?? ports);
    if (inForce?.world !== world || inForce.config !== config) await world.configure('certd', { main: config });
    if (recorded.exit !== undefined && own.answers === undefined) {
      assert.equal((await world.startExpectingExit('certd', { env })).code, recorded.exit);
      return;
    }
    if (inForce?.world !== world || inForce.config !== config) await world.restart('certd', { env });
    inForce = { world, config };
    await replay(world, recorded, { responder, own });
  } finally {
    await responder?.close();
  }
}

async function worldFor(context: Context, { id }: RecordedScenario, ca: Authorities): Promise<World> {
  const build = (world: World) => setUpKeys(world, id, ca);
  if (!BASIC.test(id)) {
    const world = await context.fresh();
    await build(world);
    return world;
  }
  const world = await context.shared({ name: 'EST with basic authentication', build });
  await world.clear('certd/home/certs');
  return world;
}

function reasonToSkip(recorded: RecordedScenario): string | undefined {
  if (recorded.section === 'renewal')
    return 'not replayed: takes real waiting; the engine is judged on an injected clock, and by kills with certificates that live seconds';
  if (recorded.store === 'softhsm') return 'not replayed yet: needs a world with a token';
  return NOT_REPLAYED[recorded.id];
}

/** The recorded EST scenarios, played with a server and authorities of this suite's own: their keys are in no recording. */
export const goldenEstWire: Group = {
  name: 'golden est-wire',
  requirements: recordedScenarios().map((recorded) => ({
    id: `est-wire#${recorded.id}${recorded.store === 'softhsm' ? '/softhsm' : ''}`,
    text: `${recorded.section ?? 'enrolment'}: asked and answered as recorded`,
    source: 'reference-run',
    async run(context) {
      context.needRoot();
      const reason = reasonToSkip(recorded);
      if (reason) context.skip(reason);
      await runScenario(context, recorded);
    },
  })),
};
