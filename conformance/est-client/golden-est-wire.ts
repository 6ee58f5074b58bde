import assert from 'node:assert/strict';
import { prepareToken, tokenMissing } from '../keys/index.ts';
import type { Context, Group, Requirement, World } from '../runner/index.ts';
import type { Authorities } from './ca.ts';
import { sharedAuthorities } from './est-world.ts';
import { runRenewal } from './golden-renewal.ts';
import { SPECIAL } from './golden-special.ts';
import { OWN, type RecordedScenario, recordedScenarios } from './recorded.ts';
import { configFor, replay } from './replay.ts';
import { type Responder, startResponder } from './responder.ts';
import { setUpKeys } from './set-up.ts';

type Ports = Pick<Responder, 'port' | 'httpPort'>;

/** One server after the other on the same ports, so that a certd with the same configuration can stay. */
let ports: Ports | undefined;
let inForce: { readonly world: World; readonly config: string } | undefined;

const idOf = ({ id, store }: RecordedScenario): string => `est-wire#${id}${store === 'softhsm' ? '/softhsm' : ''}`;

/** Scenarios that leave something behind, or wait, have a world of their own and can be played beside each other. */
const standsAlone = ({ id, store, section }: RecordedScenario): boolean =>
  store === 'softhsm' ||
  section === 'renewal' ||
  id in SPECIAL ||
  /^(identity|bootstrap|trusted-unknown|proxy)/.test(id);

const ownOf = (recorded: RecordedScenario) => OWN[idOf(recorded).slice('est-wire#'.length)] ?? {};

/** The others share a keyd, and the certd too while the configuration is the same. */
async function runShared(context: Context, recorded: RecordedScenario, ca: Authorities): Promise<void> {
  const own = ownOf(recorded);
  const behaviour = own.server ?? recorded.server;
  const responder = behaviour ? await startResponder(ca, behaviour, ports) : undefined;
  ports ??= responder && { port: responder.port, httpPort: responder.httpPort };
  try {
    const build = (world: World) => setUpKeys(world, recorded.id, ca);
    const world = await context.shared({ name: 'EST with basic authentication', build });
    await world.clear('certd/home/certs');
    const config = configFor(recorded, responder ?? ports);
    if (inForce?.world !== world || inForce.config !== config) {
      await world.configure('certd', { main: config });
      await world.restart('certd');
    }
    inForce = { world, config };
    await replay(world, recorded, { responder, own });
  } finally {
    await responder?.close();
  }
}

async function runAlone(context: Context, recorded: RecordedScenario, ca: Authorities): Promise<void> {
  const { id, store, exit } = recorded;
  const own = ownOf(recorded);
  const behaviour = own.server ?? recorded.server;
  const responder = behaviour ? await startResponder(ca, behaviour) : undefined;
  const world = await context.fresh();
  world.onDispose(async () => responder?.close());
  await setUpKeys(world, id, ca, store === 'softhsm' ? await prepareToken(world) : '');
  await world.configure('certd', { main: configFor(recorded, responder) });
  const env = id === 'proxy-bad-uri' ? { HTTPS_PROXY: 'http://[' } : {};
  if (exit !== undefined && own.answers === undefined) {
    assert.equal((await world.startExpectingExit('certd', { env })).code, exit);
    return;
  }
  await world.start('certd', { env });
  await replay(world, recorded, { responder, own });
}

function caseOf(recorded: RecordedScenario): Requirement {
  return {
    id: idOf(recorded),
    text: `${recorded.section ?? 'enrolment'}: asked and answered as recorded`,
    source: 'reference-run',
    async run(context) {
      context.needRoot();
      const missing = recorded.store === 'softhsm' ? tokenMissing() : undefined;
      if (missing) context.skip(missing, 'pkcs11');
      const special = SPECIAL[recorded.id];
      const alone = recorded.section === 'renewal' ? runRenewal : (special ?? runAlone);
      await (standsAlone(recorded) ? alone : runShared)(context, recorded, await sharedAuthorities());
    },
  };
}

const scenarios = recordedScenarios();

/** The recorded EST scenarios, played with a server and authorities of this suite's own: their keys are in no recording. */
export const goldenEstWire: Group = {
  name: 'golden est-wire',
  requirements: scenarios.filter((each) => !standsAlone(each)).map(caseOf),
};

/** Those of them that have worlds of their own. */
export const goldenEstAlone: Group = {
  name: 'golden est-wire: alone',
  besideEachOther: true,
  requirements: scenarios.filter(standsAlone).map(caseOf),
};
