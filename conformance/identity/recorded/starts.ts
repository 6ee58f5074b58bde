import assert from 'node:assert/strict';
import { asRecorded, type DaemonProcess, type RecordedExchange, type Replay } from '../../runner/index.ts';
import type { Bench } from './bench.ts';
import { parts } from './configs.ts';
import { CLOUD_ADDRESS } from './materials.ts';

const PROVISIONED = /Identity reconciliation complete\.|Network not available for Identity reconciliation/;
const UNUSED = /Starting server\.\.\./;
/** Longer than the four polls, five seconds apart, of a daemon that does not heed Retry-After. */
const READY_MS = 40_000;
/** Within this a refusal at start has come to an exit, or to a line in the log. */
const TOLD_MS = 25_000;

/** Words of the recording's own machine. */
const ownWords = (text: string): string => text.replaceAll('<cloud address>', CLOUD_ADDRESS);

const logOf = ({ facts }: RecordedExchange): readonly string[] => (facts['log'] ?? []) as string[];

/** The innermost cause that the reference logged. */
function causeOf(recorded: RecordedExchange): string {
  const causes = logOf(recorded).filter((line) => line.includes('caused by: '));
  return causes.at(-1)?.replace(/^.*caused by: /, '') ?? '';
}

const literally = (text: string): RegExp => new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));

/** Configures and starts identityd; what it has to come to is recorded, or listed as a difference. */
export async function startIdentity(bench: Bench, replay: Replay, recorded: RecordedExchange): Promise<void> {
  const { world, difference } = replay;
  const { config, exitCode } = recorded.facts;
  await world.stop('identityd');
  if (config !== undefined) {
    await world.configure('identityd', parts(ownWords(String(config))));
    bench.notes.set('source-none', /source = "none"/.test(String(config)));
  }
  const outcome = difference?.result ?? (exitCode === null ? 'ready' : 'exit 1');
  const running = bench.launch();
  try {
    await comesTo(bench, replay, recorded, running, outcome);
  } catch (error) {
    if (error instanceof Error && difference && exitCode === 1 && running.hasEndedByItself)
      error.message = `${asRecorded(difference.why)}\n${error.message}`;
    throw error;
  }
}

async function comesTo(
  bench: Bench,
  { world, difference }: Replay,
  recorded: RecordedExchange,
  running: DaemonProcess,
  outcome: string,
): Promise<void> {
  if (outcome === 'exit 1') {
    const ended = await running.exit(TOLD_MS);
    assert.equal(ended.code, 1, ended.log);
    return;
  }
  await running.ready(world.socket('identityd'), READY_MS);
  if (outcome === 'stays up') {
    const cause = literally(difference?.log ?? causeOf(recorded)).source;
    await running.logged(new RegExp(`\\[ERR!\\][^\\n]*${cause}`), TOLD_MS);
    assert.equal(running.hasEnded, false);
    return;
  }
  const isOffline = logOf(recorded).some((line) => line.includes('Network not available'));
  const wanted = bench.notes.get('source-none') === true ? UNUSED : PROVISIONED;
  const [line] = await running.logged(difference?.log ? literally(difference.log) : wanted, TOLD_MS);
  if (!difference?.log) assert.equal(/^Network/.test(line), isOffline, running.log);
}
