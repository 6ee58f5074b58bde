import { describe, expect, it } from 'vitest';
import type { Device } from './device.ts';
import {
  accessIn,
  deviceOf,
  nextState,
  type ProvisioningEvent,
  type ProvisioningState,
  pauseAfter,
} from './provisioning-state.ts';

const one: Device = { hubName: 'h', gatewayHost: 'h', deviceId: 'one', credential: { kind: 'tpm' }, enrolment: 'e' };
const two: Device = { ...one, deviceId: 'two' };
const STATES: ProvisioningState[] = [
  { phase: 'unused' },
  { phase: 'first-attempt' },
  { phase: 'first-reconciliation', device: one },
  { phase: 'waiting' },
  { phase: 'another-attempt' },
  { phase: 'provisioned', device: one },
];
const EVENTS: ProvisioningEvent[] = [
  { type: 'attempt-started' },
  { type: 'device-set', device: two },
  { type: 'device-dropped' },
  { type: 'attempt-ended' },
];

/** phase → phase after each of EVENTS. */
const EDGES: Record<string, string[]> = {
  unused: ['unused', 'provisioned', 'unused', 'unused'],
  'first-attempt': ['first-attempt', 'first-reconciliation', 'unused', 'waiting'],
  'first-reconciliation': ['first-reconciliation', 'first-reconciliation', 'unused', 'provisioned'],
  waiting: ['another-attempt', 'provisioned', 'unused', 'waiting'],
  'another-attempt': ['another-attempt', 'provisioned', 'unused', 'waiting'],
  provisioned: ['provisioned', 'provisioned', 'unused', 'provisioned'],
};

describe('provisioning states', () => {
  it.each(STATES)('every edge from $phase', (state) => {
    const reached = EVENTS.map((event) => nextState(state, event).phase);
    expect(reached).toEqual(EDGES[state.phase]);
  });

  it('a device that was set replaces the former one, and no other event does', () => {
    const state: ProvisioningState = { phase: 'provisioned', device: one };
    expect(deviceOf(nextState(state, { type: 'device-set', device: two }))).toBe(two);
    expect(deviceOf(nextState(state, { type: 'attempt-started' }))).toBe(one);
    expect(deviceOf(nextState(state, { type: 'attempt-ended' }))).toBe(one);
    expect(deviceOf(nextState({ phase: 'first-reconciliation', device: one }, { type: 'attempt-ended' }))).toBe(one);
  });

  it('E2 is never refused while a device may still come', () => {
    const access = STATES.map((state) => [state.phase, accessIn(state, 'device'), accessIn(state, 'modules')]);
    expect(access).toEqual([
      ['unused', 'refuse', 'refuse'],
      ['first-attempt', 'hold', 'hold'],
      ['first-reconciliation', 'answer', 'hold'],
      ['waiting', 'hold', 'refuse'],
      ['another-attempt', 'hold', 'refuse'],
      ['provisioned', 'answer', 'answer'],
    ]);
  });

  it('pauses grow from 5 s to 5 min and never leave that range', () => {
    expect([1, 2, 3, 4, 7, 99].map((failures) => pauseAfter(failures, 0.5))).toEqual([
      5000, 10_000, 20_000, 40_000, 300_000, 300_000,
    ]);
    expect([pauseAfter(1, 0), pauseAfter(2, 0), pauseAfter(2, 0.999), pauseAfter(99, 0.999)]).toEqual([
      5000, 8000, 11_996, 300_000,
    ]);
  });
});
