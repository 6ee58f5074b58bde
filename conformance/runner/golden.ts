import assert from 'node:assert/strict';
import { answered, exchange } from './exchange.ts';
import { differences } from './golden-compare.ts';
import { type Difference, loadDifferences, orAsRecorded } from './golden-differences.ts';
import { loadGolden, type RecordedExchange } from './golden-file.ts';
import { fillIn, fillWords, keep, type SavedValues } from './golden-values.ts';
import { DAEMONS, type Daemon } from './launch.ts';
import type { Need } from './level.ts';
import type { WireAnswer, WireRequest } from './wire.ts';
import type { World } from './world.ts';

/** What a hand-written step of a scenario may use. */
export interface Replay {
  readonly world: World;
  readonly saved: SavedValues;
  /** What differences.json lists for the exchange that is replayed. */
  readonly difference?: Difference | undefined;
}

/** How one golden file is replayed: its set-up, and the steps that no recorded request describes. */
export interface Scenario {
  /** Name of the scenario: that of its golden file, unless `recording` names another one. */
  readonly file: string;
  /** The golden file, where several scenarios replay one; what is listed for that file in differences.json holds for all of them. */
  readonly recording?: string;
  /** Gives the steps of the recording, where they are not its exchanges in their order. */
  readonly load?: () => Promise<RecordedExchange[]>;
  build(world: World): Promise<void>;
  /** Steps in place of the recorded ones: facts without a request, and steps that have to do something first. */
  readonly steps?: Readonly<Record<string, (replay: Replay, exchange: RecordedExchange) => Promise<void>>>;
  /** The step of an exchange whose recording has facts in place of a request. */
  readonly factStep?: (
    exchange: RecordedExchange,
  ) => ((replay: Replay, exchange: RecordedExchange) => Promise<void>) | undefined;
  /** Runs before every exchange. */
  readonly prepare?: (replay: Replay, exchange: RecordedExchange) => Promise<void>;
  /** Runs before the exchange of that id. */
  readonly before?: Readonly<Record<string, (replay: Replay) => Promise<void>>>;
  /** Changes the request of an exchange that quotes values of the recording's own run. */
  readonly requests?: Readonly<Record<string, (request: WireRequest, replay: Replay) => WireRequest>>;
  /** The same for exchanges that are not named: for a whole kind of them. */
  readonly remake?: (request: WireRequest, replay: Replay, exchange: RecordedExchange) => WireRequest;
  /** Verifies what the recording says was `checked`. */
  readonly verify?: Readonly<
    Record<string, (answer: WireAnswer, replay: Replay, exchange: RecordedExchange) => Promise<void> | void>
  >;
  /** Verifies what the recording says of every exchange beside its answer; runs last, after steps too. */
  readonly check?: (replay: Replay, exchange: RecordedExchange) => Promise<void>;
  /** Members that differ from run to run in every exchange of the file. */
  readonly volatile?: readonly string[];
  /**
   * Names the chain that an exchange belongs to, where the recording falls into chains that rest on nothing of each other: each is replayed in
   * its order, in a world of its own, and the chains may be replayed beside each other. Left out: the recording is one chain.
   */
  readonly chain?: (exchange: RecordedExchange) => string;
  /**
   * Names the scene that an exchange belongs to, where it rests on those before it of the same scene alone. Left out: on all before it in its chain.
   * Whoever runs one exchange has those that it rests on replayed first.
   */
  readonly scene?: (exchange: RecordedExchange) => string;
  /** Which exchanges of the recording this scenario is about, where the others are replayed by another; all by default. */
  readonly only?: (exchange: RecordedExchange) => boolean;
  /** Exchanges of the file that are not replayed, with the reason; reported as skipped. */
  readonly skip?: (exchange: RecordedExchange) => string | undefined;
  /** What the machine lacks for the whole file; undefined: nothing. */
  readonly lacks?: () => { readonly reason: string; readonly need: Need } | undefined;
  /** Values for `@WORDS@` beside `@ROOT@`. */
  words?(world: World): Readonly<Record<string, string>>;
}

/** A golden file joined with its listed differences, ready to run in order. */
export class GoldenRun {
  readonly exchanges: readonly RecordedExchange[];
  readonly scenario: Scenario;
  readonly #differences: ReadonlyMap<string, Difference>;
  readonly #saved: SavedValues = new Map();

  private constructor(scenario: Scenario, exchanges: RecordedExchange[], listed: ReadonlyMap<string, Difference>) {
    this.scenario = scenario;
    this.exchanges = exchanges;
    this.#differences = listed;
  }

  /** @throws Error when a listed difference names no exchange of the file */
  static async load(scenario: Scenario): Promise<GoldenRun> {
    const recording = scenario.recording ?? scenario.file;
    const exchanges = await (scenario.load?.() ?? loadGolden(recording));
    const listed = new Map([...(await loadDifferences(recording)), ...(await loadDifferences(scenario.file))]);
    const ids = new Set(exchanges.map(({ id }) => id));
    for (const id of listed.keys())
      if (!ids.has(id)) throw new Error(`differences.json: ${recording} has no exchange ${id}`);
    return new GoldenRun(scenario, exchanges.filter(scenario.only ?? (() => true)), listed);
  }

  /** Replays one exchange; they have to be replayed in their order. Rejects with what differs. */
  async replay(world: World, recorded: RecordedExchange): Promise<void> {
    const replay: Replay = { world, saved: this.#saved, difference: this.#differences.get(recorded.id) };
    await this.scenario.prepare?.(replay, recorded);
    await this.scenario.before?.[recorded.id]?.(replay);
    const step = this.scenario.steps?.[recorded.id] ?? this.scenario.factStep?.(recorded);
    if (step) await step(replay, recorded);
    else await this.#exchange(replay, recorded);
    await this.scenario.check?.(replay, recorded);
  }

  async #exchange(replay: Replay, recorded: RecordedExchange): Promise<void> {
    const { world } = replay;
    const { request, response } = recorded;
    if (!request || !response)
      throw new Error(`no step replays ${recorded.id}; add one to the scenario of ${this.scenario.file}`);
    const answer = await this.#send(replay, recorded, request);
    if (recorded.save && answer.body !== '') keep(JSON.parse(answer.body), recorded.save, this.#saved);
    this.#compare(recorded, answer, this.scenario.words?.(world) ?? {});
    await this.scenario.verify?.[recorded.id]?.(answer, replay, recorded);
  }

  async #send(replay: Replay, recorded: RecordedExchange, request: WireRequest): Promise<WireAnswer> {
    const own = { ...request, ...this.#differences.get(recorded.id)?.request };
    const changed =
      this.scenario.requests?.[recorded.id]?.(own, replay) ?? this.scenario.remake?.(own, replay, recorded) ?? own;
    const words = { '@ROOT@': replay.world.root, ...this.scenario.words?.(replay.world) };
    const body = fillIn(changed.body, this.#saved, words);
    const socket = replay.world.socket(daemonNamed(recorded.daemon ?? ''));
    return answered(await exchange(socket, recorded.uid ?? 0, { ...changed, body }));
  }

  #compare(recorded: RecordedExchange, answer: WireAnswer, words: Readonly<Record<string, string>>): void {
    const { response } = recorded;
    if (!response) return;
    const listed = this.#differences.get(recorded.id);
    const freedom = {
      volatile: [...(this.scenario.volatile ?? []), ...(recorded.volatile ?? [])],
      saved: Object.values(recorded.save ?? {}),
    };
    const answersAsRecorded = () => differences(response, answer, freedom).length === 0;
    if (!listed?.expect) {
      const found = differences(response, answer, freedom);
      assert.equal(found.join('\n'), '', `${recorded.id} differs from the recording`);
      return;
    }
    const { messageContains, ...members } = listed.expect;
    const expected = {
      ...response,
      ...members,
      ...('body' in members ? { body: fillWords(members.body, words) } : {}),
    };
    orAsRecorded(listed, answersAsRecorded, () => {
      if (messageContains === undefined) {
        const found = differences(expected, answer, freedom);
        assert.equal(found.join('\n'), '', `${recorded.id} differs from the answer listed in differences.json`);
        return;
      }
      assert.equal(answer.status, expected.status, `${recorded.id}: body ${answer.body.slice(0, 300)}`);
      const { message } = JSON.parse(answer.body) as { message?: unknown };
      assert.ok(
        typeof message === 'string' && message.includes(messageContains),
        `${recorded.id}: message ${JSON.stringify(message)} does not contain ${JSON.stringify(messageContains)}`,
      );
    });
  }
}

function daemonNamed(name: string): Daemon {
  const daemon = DAEMONS.find((candidate) => candidate === name);
  if (!daemon) throw new Error(`no daemon is called ${JSON.stringify(name)}`);
  return daemon;
}
