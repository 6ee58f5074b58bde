import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { loadDifferences, type RecordedExchange, type Replay, type World } from '../runner/index.ts';
import { HANDLE_KINDS, type HandleKind, handlesOf } from './handles.ts';
import type { Swtpm } from './swtpm.ts';
import type { Passed } from './tpm-proxy.ts';
import { TpmWorld } from './world.ts';
import type { TpmKeys } from './wrapped-key.ts';

const LOGGED_WITHIN_MS = 5_000;
/** Commands whose handle the recording names. */
const WITH_HANDLE = new Set(['ReadPublic', 'HMAC', 'FlushContext']);
/** What every import that comes so far does, whatever else it does. */
const STEPS_OF_AN_IMPORT = ['StartAuthSession', 'PolicySecret', 'ActivateCredential', 'Import', 'Load'];
const HANDLE_AT = 10;
const SLOT = '81000100';
/** Commands that change nothing, which an implementation may ask more often than the reference did. */
const QUESTIONS = new Set(['ReadPublic', 'GetCapability']);

function commandText({ name, request, code }: Passed): string {
  const handle = WITH_HANDLE.has(name) ? ` ${request.readUInt32BE(HANDLE_AT).toString(16).padStart(8, '0')}` : '';
  return `${name}${handle}${code === 0 ? '' : ` -> 0x${(code ?? 0).toString(16)}`}`;
}

const ABSENT_SLOT = `ReadPublic ${SLOT} -> 0x18b`;
const withoutRetries = (commands: readonly string[]): readonly string[] =>
  commands.filter((command) => !command.endsWith('-> 0x922'));
const nameIn = (text: string): string => text.split(' ')[0] ?? '';

/** The TPM of a replay, which is exchanged for another one on the way, and what is known of it. */
export class ReplayedTpm {
  static readonly #byWorld = new WeakMap<World, ReplayedTpm>();
  #tpm: TpmWorld;
  /** EK and SRK as tpmd gave them last. */
  keys: TpmKeys = { endorsementKey: Buffer.alloc(0), storageRootKey: Buffer.alloc(0) };
  /** A key was imported into this TPM and nobody has removed it; the reference lost it by imports that failed. */
  holdsKey = false;
  /** How often the log of this process has named a cause, as far as the recording has it. */
  readonly #causes = new Map<string, number>();
  #different: ReadonlySet<string> = new Set();

  private constructor(tpm: TpmWorld) {
    this.#tpm = tpm;
  }

  static async build(world: World): Promise<void> {
    const replayed = new ReplayedTpm(await TpmWorld.in(world));
    replayed.#different = new Set((await loadDifferences('tpm')).keys());
    ReplayedTpm.#byWorld.set(world, replayed);
  }

  static of({ world }: Replay): ReplayedTpm {
    const found = ReplayedTpm.#byWorld.get(world);
    if (!found) throw new Error('the world has no TPM');
    return found;
  }

  get tpm(): TpmWorld {
    return this.#tpm;
  }

  get swtpm(): Swtpm {
    return this.#tpm.swtpm;
  }

  /** Goes on with another TPM; tpmd is stopped. @param state as {@link TpmWorld.in} takes it */
  async exchange(state?: Uint8Array): Promise<void> {
    await this.#tpm.world.stop('tpmd');
    this.#tpm = await TpmWorld.in(this.#tpm.world, state);
    this.holdsKey = false;
  }

  /** Removes a persistent object behind tpmd's back. */
  async evict(handle: string, password?: string): Promise<void> {
    const auth = password === undefined ? [] : ['-P', password];
    await this.swtpm.tool('tpm2_evictcontrol', '-C', 'o', ...auth, '-c', `0x${handle}`);
    if (handle === SLOT) this.holdsKey = false;
  }

  /** Compares what passed between tpmd and the TPM, and what the TPM holds now, with the recording. */
  async compare({ id, section, request, response, facts }: RecordedExchange): Promise<void> {
    // a command without an answer found no TPM
    const answered = this.#tpm.proxy.passed.splice(0).filter(({ code }) => code !== undefined);
    const passed = answered.map(commandText);
    if (request?.target.startsWith('/import') && response?.status === 200 && !this.#different.has(id))
      this.holdsKey = true;
    const commands = facts['commands'] as readonly string[] | undefined;
    if (commands && !this.#different.has(id)) {
      if (request?.target.startsWith('/import')) this.#compareImport(id, commands, passed);
      else if (/^\d+ commands$/.test(commands[0] ?? '')) assert.equal(`${passed.length} commands`, commands[0]);
      else this.#compareCommands(`commands of ${id}`, section, commands, passed);
    }
    const handles = facts['handles'] as Readonly<Record<HandleKind, readonly string[]>> | undefined;
    if (handles) await this.#compareHandles(id, handles);
    if (!this.#different.has(id)) await this.#compareLog((facts['log'] ?? []) as readonly string[]);
  }

  /** A new process of tpmd has a new log. */
  forgetLog(): void {
    this.#causes.clear();
  }

  /** What failed is named in the log each time; the text of the TPM below it is that of the TSS library. */
  async #compareLog(recorded: readonly string[]): Promise<void> {
    const cause = recorded.find((line) => line.includes('!!! caused by: could not'));
    if (cause === undefined) return;
    const times = (this.#causes.get(cause) ?? 0) + 1;
    this.#causes.set(cause, times);
    const named = () => this.#tpm.log.split(cause).length - 1;
    const until = performance.now() + LOGGED_WITHIN_MS;
    // a line may come a moment after the answer
    while (named() < times && performance.now() < until) await pause(5);
    assert.ok(named() >= times, `${cause} in the log, ${times} times:\n${this.#tpm.log.slice(-2_000)}`);
  }

  async #compareHandles(id: string, recorded: Readonly<Record<HandleKind, readonly string[]>>): Promise<void> {
    for (const kind of HANDLE_KINDS) {
      const kept = kind === 'persistent' && this.holdsKey && !recorded.persistent.includes(SLOT) ? [SLOT] : [];
      const found = await handlesOf(this.swtpm.path, kind);
      assert.deepEqual(found.toSorted(), [...recorded[kind], ...kept].toSorted(), `${kind} handles after ${id}`);
    }
  }

  #compareCommands(what: string, section: string, recorded: readonly string[], passed: readonly string[]): void {
    const slot = this.holdsKey ? (command: string) => command.replace(ABSENT_SLOT, `ReadPublic ${SLOT}`) : String;
    const expected = withoutRefusal(recorded).map(slot);
    const came = withoutQuestions(passed, recorded);
    // which use of a key a TPM answers by RETRY is its own affair, but where the recording's proxy made it do so
    const comparable = section === 'response codes' ? (commands: readonly string[]) => commands : withoutRetries;
    assert.deepEqual(comparable(came), comparable(expected), what);
  }

  /** The same steps as far as the TPM took them; or a refusal by tpmd itself, before the TPM has been asked for anything but its state. */
  #compareImport(id: string, recorded: readonly string[], passed: readonly string[]): void {
    const steps = (commands: readonly string[]) =>
      withoutRetries(commands).filter((command) => STEPS_OF_AN_IMPORT.includes(nameIn(command)));
    const failed = recorded.find((command) => command.includes('->'));
    const refused = steps(passed).length === 0 && passed.every((command) => QUESTIONS.has(nameIn(command)));
    if (refused && !recorded.some((command) => command.startsWith('Load'))) return;
    assert.deepEqual(steps(passed), steps(recorded), `steps of ${id}`);
    if (failed && STEPS_OF_AN_IMPORT.includes(nameIn(failed))) assert.ok(passed.includes(failed), `${failed} in ${id}`);
    assert.match(passed.at(-1) ?? '', /^FlushContext/, `the end of ${id}`);
  }
}

/** A sign without a key is answered without the TPM: it would be asked to sign with no key at all (spec/tpm-service.md 5). */
const withoutRefusal = (commands: readonly string[]): string[] =>
  commands.filter((command) => !command.endsWith('-> 0x184'));

function withoutQuestions(passed: readonly string[], recorded: readonly string[]): string[] {
  const asked = new Set(recorded.map((command) => command.split(' -> ')[0]));
  return passed.filter((command) => !QUESTIONS.has(nameIn(command)) || asked.has(command.split(' -> ')[0] ?? ''));
}
