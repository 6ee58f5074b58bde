import type { Launch } from './launch.ts';
import type { Need } from './level.ts';
import { LeftOut, Skipped } from './skipped.ts';
import { type LaunchMix, World } from './world.ts';

export { Skipped };

/** Builds and starts a world that several requirements share. */
export interface SharedWorld {
  readonly name: string;
  build(world: World): Promise<void>;
  /**
   * Makes by requests alone, in daemons that run already, what the requirements of this world need; without it they are not run there.
   * Gives what undoes it.
   */
  readonly onRunning?: (world: World) => Promise<() => Promise<void>>;
}

/** What a requirement is given: worlds, and nothing of the daemons but their wire. */
export class Context {
  readonly launch: Launch;
  readonly #shared = new Map<string, Promise<World>>();
  readonly #fresh: World[] = [];

  constructor(launch: Launch) {
    this.launch = launch;
  }

  /** True when requests can be sent as other uids. */
  get isRoot(): boolean {
    return process.geteuid?.() === 0;
  }

  /** Skips the requirement; `need` names what the machine lacks. */
  skip(reason: string, need?: Need): never {
    throw new Skipped(reason, need);
  }

  /** Leaves the requirement out where it makes no sense; it is reported as not run with this reason, and counts for nothing. */
  leaveOut(reason: string): never {
    throw new LeftOut(reason);
  }

  needRoot(): void {
    if (!this.isRoot) this.skip('needs root, to call as other uids', 'root');
  }

  /** The world of that name, built at its first use and kept until the run ends. */
  shared(shared: SharedWorld): Promise<World> {
    const known = this.#shared.get(shared.name);
    if (known) return known;
    if (this.launch.fixedSockets) return this.#exclusive(shared);
    const made = this.#build(shared);
    this.#shared.set(shared.name, made);
    return made;
  }

  /**
   * A world of the requirement's own; it is gone when the requirement ends.
   * @param mix daemons that are started in another way than those under test
   */
  async fresh(mix: LaunchMix = {}): Promise<World> {
    if (this.launch.running)
      this.skip('needs control of the daemons: it starts them with a configuration of its own', 'control');
    if (this.launch.fixedSockets) await this.dispose();
    const world = await World.create(this.launch, mix);
    this.#fresh.push(world);
    return world;
  }

  /** Ends the worlds of one requirement. */
  async endRequirement(): Promise<void> {
    await Promise.all(this.#fresh.splice(0).map((world) => world.dispose()));
  }

  /** Ends all worlds. */
  async dispose(): Promise<void> {
    await this.endRequirement();
    const worlds = await Promise.allSettled(this.#shared.values());
    this.#shared.clear();
    for (const world of worlds) if (world.status === 'fulfilled') await world.value.dispose();
  }

  async #build(shared: SharedWorld): Promise<World> {
    if (this.launch.running && !shared.onRunning)
      this.skip('needs control of the daemons: it starts them with a configuration of its own', 'control');
    const world = await World.create(this.launch);
    try {
      if (this.launch.running && shared.onRunning) world.onDispose(await shared.onRunning(world));
      else await shared.build(world);
    } catch (error) {
      await world.dispose();
      throw error;
    }
    return world;
  }

  /** Daemons with fixed sockets can live in one world at a time only. */
  async #exclusive(shared: SharedWorld): Promise<World> {
    await this.dispose();
    const made = this.#build(shared);
    this.#shared.set(shared.name, made);
    return made;
  }
}
