import type { Launch } from './launch.ts';
import { World } from './world.ts';

/** Thrown by a requirement that cannot be judged here; the reason is reported, never swallowed. */
export class Skipped extends Error {
  override readonly name = 'Skipped';
}

/** Builds and starts a world that several requirements share. */
export interface SharedWorld {
  readonly name: string;
  build(world: World): Promise<void>;
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

  /** Skips the requirement. */
  skip(reason: string): never {
    throw new Skipped(reason);
  }

  needRoot(): void {
    if (!this.isRoot) this.skip('needs root, to call as other uids');
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

  /** A world of the requirement's own; it is gone when the requirement ends. */
  async fresh(): Promise<World> {
    if (this.launch.fixedSockets) await this.dispose();
    const world = await World.create(this.launch);
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
    const world = await World.create(this.launch);
    try {
      await shared.build(world);
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
