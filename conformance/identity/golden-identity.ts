import type { RecordedExchange, Replay, Scenario, World } from '../runner/index.ts';
import { BEFORE, forgetWhereFresh, takeEnvironment } from './recorded/before.ts';
import { Bench } from './recorded/bench.ts';
import { chainOf, sceneOf } from './recorded/chains.ts';
import { CLOUD_ADDRESS } from './recorded/materials.ts';
import { RENEWAL_STEPS } from './recorded/renewal.ts';
import { SCENES } from './recorded/scenes.ts';
import { compareFiles } from './recorded/state.ts';
import { noteModules, STEPS, type Step, stepByFacts } from './recorded/steps.ts';
import { compareRequests, faultsOf } from './recorded/wire.ts';

/** What is not replayed, and why. */
const NOT_REPLAYED: Readonly<Record<string, string>> = {
  'manual-sas/daemon-threads': 'the threads of another runtime are no behaviour',
  'throttle/list-429-once': 'waits for a minute; judged on an injected clock by CL-045, CL-047 and CL-049',
  'throttle/took': 'waits for a minute; judged on an injected clock by CL-045',
  'throttle/list-body-stalls': 'waits for 73 seconds; judged on an injected clock by CL-043',
  'throttle/stall-took': 'waits for 73 seconds; judged on an injected clock by CL-043',
};

const benches = new WeakMap<World, Bench>();

function benchOf({ world }: Replay): Bench {
  const bench = benches.get(world);
  if (!bench) throw new Error('the replay was not built');
  return bench;
}

/** Set-up of the scenario, what the recording's own hand did, and the scripted answers of the cloud. */
async function prepare(replay: Replay, { id, facts }: RecordedExchange): Promise<void> {
  const now = benchOf(replay);
  const scene = sceneOf(id);
  if (now.scene !== scene) {
    await SCENES[scene]?.(now);
    now.scene = scene;
  }
  if (facts['start'] !== undefined) {
    await forgetWhereFresh(now, id);
    takeEnvironment(now, facts['note']);
    now.connectsBefore = now.proxy.seen.length;
  }
  await BEFORE[id]?.(now);
  if (facts['start'] !== undefined) noteModules(now);
  now.cloud.script(faultsOf(id));
  now.seenBefore = now.cloud.seen.length;
}

async function check(replay: Replay, { id }: RecordedExchange): Promise<void> {
  compareRequests(benchOf(replay), replay, id);
  await compareFiles(replay, id);
}

const bound = (step: Step) => (replay: Replay, recorded: RecordedExchange) => step(benchOf(replay), replay, recorded);

/** Every recorded exchange of identityd, with daemons as processes and a cloud of the suite's own that answers as the recorded one did. */
export const goldenIdentity: Scenario = {
  file: 'identity',
  async build(world) {
    benches.set(world, await Bench.create(world));
  },
  words: () => ({ '<cloud address>': CLOUD_ADDRESS }),
  volatile: ['keyHandle', 'privateKey', 'certificate', 'expiration'],
  skip: ({ id }) => NOT_REPLAYED[id],
  chain: ({ id }) => chainOf(id),
  scene: ({ id }) => sceneOf(id),
  prepare,
  check,
  factStep(recorded) {
    const step = RENEWAL_STEPS[recorded.id] ?? STEPS[recorded.id] ?? stepByFacts(recorded);
    return step && bound(step);
  },
};
