import type { Device } from './device.ts';

/**
 * Where provisioning stands (spec/identity-service.md 7.2, stricter; drawn in docs/identity.md):
 * - `unused`: source "none", nothing to provision;
 * - `first-attempt`: since the start, no device yet;
 * - `first-reconciliation`: the device is known, its modules are being brought in line for the first time;
 * - `waiting`: no device, the last attempt failed;
 * - `another-attempt`: no device, trying again;
 * - `provisioned`: the device is known and stays known.
 */
export type ProvisioningState =
  | { readonly phase: 'unused' }
  | { readonly phase: 'first-attempt' }
  | { readonly phase: 'first-reconciliation'; readonly device: Device }
  | { readonly phase: 'waiting' }
  | { readonly phase: 'another-attempt' }
  | { readonly phase: 'provisioned'; readonly device: Device };

/** What moves it. */
export type ProvisioningEvent =
  | { readonly type: 'attempt-started' }
  | { readonly type: 'device-set'; readonly device: Device }
  | { readonly type: 'device-dropped' }
  | { readonly type: 'attempt-ended' };

export type Phase = ProvisioningState['phase'];
type Next = Phase | 'same';

/** The phase after each event; `same` where the event changes nothing. docs/identity.md draws these edges. */
export const TRANSITIONS: Readonly<Record<Phase, Readonly<Record<ProvisioningEvent['type'], Next>>>> = {
  unused: {
    'attempt-started': 'same',
    'device-set': 'provisioned',
    'device-dropped': 'same',
    'attempt-ended': 'same',
  },
  'first-attempt': {
    'attempt-started': 'same',
    'device-set': 'first-reconciliation',
    'device-dropped': 'unused',
    'attempt-ended': 'waiting',
  },
  'first-reconciliation': {
    'attempt-started': 'same',
    'device-set': 'same',
    'device-dropped': 'unused',
    'attempt-ended': 'provisioned',
  },
  waiting: {
    'attempt-started': 'another-attempt',
    'device-set': 'provisioned',
    'device-dropped': 'unused',
    'attempt-ended': 'same',
  },
  'another-attempt': {
    'attempt-started': 'same',
    'device-set': 'provisioned',
    'device-dropped': 'unused',
    'attempt-ended': 'waiting',
  },
  provisioned: {
    'attempt-started': 'same',
    'device-set': 'same',
    'device-dropped': 'unused',
    'attempt-ended': 'same',
  },
};

/** The device of a state that has one. */
export function deviceOf(state: ProvisioningState): Device | undefined {
  return 'device' in state ? state.device : undefined;
}

/** The one transition function. */
export function nextState(state: ProvisioningState, event: ProvisioningEvent): ProvisioningState {
  const next = TRANSITIONS[state.phase][event.type];
  const phase = next === 'same' ? state.phase : next;
  if (phase !== 'first-reconciliation' && phase !== 'provisioned') return { phase };
  const device = event.type === 'device-set' ? event.device : deviceOf(state);
  return device ? { phase, device } : state;
}

/** What a caller who needs the device gets: an answer, a wait, or `device identity not found`. */
export type Access = 'answer' | 'hold' | 'refuse';

/** Which kind of call it is: E2, which IoT Edge must never be misled on, or one of E1 and E4 to E8. */
export type DeviceUse = 'device' | 'modules';

const ACCESS: Readonly<Record<Phase, Readonly<Record<DeviceUse, Access>>>> = {
  unused: { device: 'refuse', modules: 'refuse' },
  'first-attempt': { device: 'hold', modules: 'hold' },
  'first-reconciliation': { device: 'answer', modules: 'hold' },
  waiting: { device: 'hold', modules: 'refuse' },
  'another-attempt': { device: 'hold', modules: 'refuse' },
  provisioned: { device: 'answer', modules: 'answer' },
};

/** Whether a call is answered, held or refused in a state. */
export const accessIn = (state: ProvisioningState, use: DeviceUse): Access => ACCESS[state.phase][use];

const FIRST_PAUSE_MS = 5000;
const LONGEST_PAUSE_MS = 5 * 60_000;
const LONGEST_ASKED_MS = 24 * 60 * 60_000;

/**
 * The pause before another attempt: 5 s, doubled up to 5 min, give or take a fifth; longer where the service asked for more by
 * `Retry-After`, up to a day.
 *
 * @param failures attempts that failed in a row, from 1; @param random in [0, 1); @param askedMs milliseconds.
 */
export function pauseAfter(failures: number, random: number, askedMs = 0): number {
  const base = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 10));
  const jittered = base * (0.8 + 0.4 * random);
  const own = Math.min(LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS, Math.round(jittered)));
  return Math.max(own, Math.min(askedMs, LONGEST_ASKED_MS));
}
