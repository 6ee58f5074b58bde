import { expect, test } from 'vitest';
import type { Clock } from '../process/index.ts';
import { Enrolments } from './enrolments.ts';

/** Sleeps end when told. */
function heldClock() {
  const wakes: (() => void)[] = [];
  const clock: Clock = { now: () => 0, sleep: () => new Promise((resolve) => wakes.push(resolve)) };
  return { clock, wake: () => wakes.splice(0).forEach((wake) => void wake()) };
}

/** An enrolment that ends when told or aborted. */
interface Job {
  starts: number;
  aborted: string;
  postpone: () => void;
  finish: (pem: string) => void;
}

function job() {
  const { promise, resolve } = Promise.withResolvers<string>();
  const state: Job = { starts: 0, aborted: '', postpone: () => undefined, finish: resolve };
  const start = (signal: AbortSignal, onPostponed: () => void) => {
    state.starts++;
    state.postpone = onPostponed;
    signal.addEventListener('abort', () => {
      state.aborted = (signal.reason as Error).message;
    });
    const ended = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    return Promise.race([promise, ended]);
  };
  return { state, start };
}

const settle = () => new Promise((done) => setImmediate(done));
const open = () => new AbortController();

test('the same request is enrolled once for all its callers', async () => {
  const { state, start } = job();
  const enrolments = new Enrolments(heldClock().clock);
  const both = ['a', 'b'].map(() => enrolments.join('id', 'request', open().signal, start));
  await settle();
  state.finish('pem');
  expect(await Promise.all(both)).toEqual(['pem', 'pem']);
  expect(state.starts).toBe(1);
});

test('EST-044 a silent server: the caller gets an error at its limit and the enrolment ends', async () => {
  const { state, start } = job();
  const { clock, wake } = heldClock();
  const answer = new Enrolments(clock).join('id', 'request', open().signal, start);
  await settle();
  wake();
  await expect(answer).rejects.toThrow('not over after 29 s');
  expect(state.aborted).toBe('its callers are gone');
});

test('a caller that hangs up ends its enrolment', async () => {
  const { state, start } = job();
  const caller = open();
  const answer = new Enrolments(heldClock().clock).join('id', 'request', caller.signal, start);
  await settle();
  caller.abort(new Error('hung up'));
  await expect(answer).rejects.toThrow('hung up');
  expect(state.aborted).toBe('its callers are gone');
});

test('EST-019 a postponed enrolment goes on without callers, and a repeat joins it', async () => {
  const { state, start } = job();
  const { clock, wake } = heldClock();
  const enrolments = new Enrolments(clock);
  const first = enrolments.join('id', 'request', open().signal, start);
  await settle();
  state.postpone();
  wake();
  await expect(first).rejects.toThrow('not over');
  expect(state.aborted).toBe('');
  const second = enrolments.join('id', 'request', open().signal, start);
  await settle();
  state.finish('pem');
  expect(await second).toBe('pem');
  expect(state.starts).toBe(1);
});

test('another request takes the place of a postponed one, and waits for one under way', async () => {
  const enrolments = new Enrolments(heldClock().clock);
  const [one, two] = [job(), job()];
  const first = enrolments.join('id', 'one', open().signal, one.start);
  await settle();
  const second = enrolments.join('id', 'two', open().signal, two.start);
  await settle();
  expect(two.state.starts).toBe(0);
  one.state.finish('first');
  expect(await first).toBe('first');
  await settle();
  two.state.postpone();
  const three = job();
  const third = enrolments.join('id', 'three', open().signal, three.start);
  await expect(second).rejects.toThrow('another request');
  await settle();
  three.state.finish('third');
  expect(await third).toBe('third');
});

test('CS-076 ids do not wait for each other', async () => {
  const enrolments = new Enrolments(heldClock().clock);
  const [hanging, quick] = [job(), job()];
  const never = enrolments.join('a', 'x', open().signal, hanging.start);
  const soon = enrolments.join('b', 'x', open().signal, quick.start);
  await settle();
  quick.state.finish('pem');
  expect(await soon).toBe('pem');
  enrolments.close();
  await expect(never).rejects.toThrow('stopping');
});
