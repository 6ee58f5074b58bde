/** What the tests with a keyd process share: a world and a keyd for each test, and stores that are skipped where they cannot be. */
import { afterEach, beforeAll, beforeEach } from 'vitest';
import { issueWithEngine, makeThreePairs, type ThreeHandles } from './issue.ts';
import { RealKeyd, type Store, whyNot } from './real-keyd.ts';
import { buildEngine, World } from './world.ts';

/** The world and the keyd of the test that runs. */
export interface KeydTests {
  readonly world: World;
  readonly keyd: RealKeyd;
  /** Starts a keyd with this store. */
  start(store: Store): Promise<void>;
  /** The same; then makes three key pairs (`ec-p256`, `rsa-2048`, `rsa-4096`) and issues their certificates. */
  startIssued(store: Store, algorithm: string): Promise<ThreeHandles>;
}

/** Builds the engine, and gives each test of the file that calls this an empty world; its keyd ends with the test. */
export function keydTests(): KeydTests {
  let world: World | undefined;
  let keyd: RealKeyd | undefined;
  beforeAll(() => buildEngine());
  beforeEach(() => {
    world = new World([]);
  });
  afterEach(async () => {
    await keyd?.stop();
    keyd = undefined;
    await world?.close();
  });
  const tests: KeydTests = {
    get world() {
      if (!world) throw new Error('there is a world only while a test runs');
      return world;
    },
    get keyd() {
      if (!keyd) throw new Error('no keyd was started');
      return keyd;
    },
    async start(store) {
      keyd = new RealKeyd(tests.world, store);
      await keyd.start();
    },
    async startIssued(store, algorithm) {
      await tests.start(store);
      const handles = await makeThreePairs(tests.keyd, algorithm);
      await issueWithEngine(tests.world, handles);
      return handles;
    },
  };
  return tests;
}

/** Whether tests on this store are skipped here, and what their titles then say at the end. */
export function skippedOn(store: Store): { readonly skip: boolean; readonly title: string } {
  const reason = whyNot(store);
  return reason === undefined ? { skip: false, title: '' } : { skip: true, title: ` (skipped: ${reason})` };
}
