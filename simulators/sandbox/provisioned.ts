import { setTimeout as pause } from 'node:timers/promises';
import { type Daemon, describeExit } from './daemon-process.ts';
import { callUnix, type UnixAnswer } from './unix-call.ts';

const IDENTITY = '/identities/identity?api-version=2020-09-01';
const MODULES = '/identities/modules?api-version=2020-09-01&type=aziot';

export interface DeviceIdentity {
  readonly deviceId: string;
  readonly hubName: string;
}

export interface ModuleIdentity {
  readonly moduleId: string;
  readonly genId: string;
}

type Seen<T> = { readonly value: T } | { readonly came: string };

/** Asks until `read` has seen what is waited for, identityd has ended, or the time is over; `read` may end it by throwing. */
async function askUntil<T>(
  identityd: Daemon,
  path: string,
  limits: { readonly timeoutMs: number; readonly signal: AbortSignal },
  read: (answer: UnixAnswer) => Seen<T>,
): Promise<T> {
  const over = new AbortController();
  const signal = AbortSignal.any([limits.signal, over.signal]);
  const until = performance.now() + limits.timeoutMs;
  const asking = async (): Promise<T> => {
    for (;;) {
      const timeoutMs = Math.max(1, until - performance.now());
      const answer = await callUnix({ socketPath: identityd.socketPath, method: 'GET', path, timeoutMs, signal });
      const seen = read(answer);
      if ('value' in seen) return seen.value;
      if (performance.now() > until - 100) throw new Error(seen.came);
      await pause(100, undefined, { signal });
    }
  };
  const ended = identityd.ended.then((exit): never => {
    throw new Error(`identityd ${describeExit(exit)}`);
  });
  try {
    return await Promise.race([asking(), ended]);
  } finally {
    over.abort();
  }
}

const answered = ({ status, text }: UnixAnswer) => `identityd answered ${status} ${text}`;

/**
 * Waits until identityd has a device. It holds the call while its first attempt runs (identity-service.md 7.2), and refuses
 * it with 400 once that has failed.
 *
 * @throws Error saying what came instead
 */
export function whenProvisioned(identityd: Daemon, timeoutMs: number, signal: AbortSignal): Promise<DeviceIdentity> {
  return askUntil(identityd, IDENTITY, { timeoutMs, signal }, (answer) => {
    const spec = (answer.body as { spec?: Partial<DeviceIdentity> } | undefined)?.spec;
    if (answer.status === 200 && typeof spec?.deviceId === 'string' && typeof spec.hubName === 'string') {
      return { value: { deviceId: spec.deviceId, hubName: spec.hubName } };
    }
    // a module of the hub may not have been made yet; everything else is an answer
    if (answer.status !== 404) throw new Error(answered(answer));
    return { came: answered(answer) };
  });
}

/**
 * Waits until the modules called `names` are in the hub.
 *
 * @throws Error saying what came instead
 */
export function whenModulesExist(
  identityd: Daemon,
  names: readonly string[],
  timeoutMs: number,
  signal: AbortSignal,
): Promise<readonly ModuleIdentity[]> {
  return askUntil(identityd, MODULES, { timeoutMs, signal }, (answer) => {
    const list = (answer.body as { identities?: { spec: ModuleIdentity }[] } | undefined)?.identities ?? [];
    const modules = list.map(({ spec: { moduleId, genId } }) => ({ moduleId, genId }));
    if (names.every((name) => modules.some(({ moduleId }) => moduleId === name))) return { value: modules };
    if (answer.status === 401) throw new Error(answered(answer));
    return { came: answered(answer) };
  });
}
