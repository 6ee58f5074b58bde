import { describe, expect, it } from 'vitest';
import { coloursFor } from './colours.ts';
import { StepFailure } from './step-failure.ts';
import { Steps } from './steps.ts';

function setUp({ isTTY = false, env = {} as NodeJS.ProcessEnv } = {}) {
  let text = '';
  let time = 0;
  const out = { isTTY, write: (more: string) => (text += more) };
  const stop = new AbortController();
  const steps = new Steps({ out, colours: coloursFor(out, env), now: () => time, signal: stop.signal });
  return { steps, stop, text: () => text, pass: (ms: number) => (time += ms) };
}
const plan = { name: 'keyd', title: 'keyd', expected: 'a socket', remedy: 'look' };

describe('the steps of the story', () => {
  it('are timed and told in plain lines where there is no terminal', async () => {
    const { steps, text, pass } = setUp();
    const value = await steps.run(plan, async () => {
      pass(12.34);
      return { value: 7, detail: 'up' };
    });
    expect(value).toBe(7);
    expect(steps.timingsMs).toEqual({ keyd: 12.3 });
    expect(text()).toBe('  ✓ keyd  up 12 ms\n');
  });

  it('have colours on a terminal, unless NO_COLOR says otherwise', async () => {
    const coloured = setUp({ isTTY: true });
    await coloured.steps.run(plan, async () => ({ value: 0 }));
    expect(coloured.text()).toContain('\u001b[32m✓');
    const plain = setUp({ isTTY: true, env: { NO_COLOR: '1' } });
    await plain.steps.run(plan, async () => ({ value: 0 }));
    expect(plain.text()).not.toContain('\u001b[32m');
  });

  it('that fail say which, what was expected, what came, and what to do', async () => {
    const { steps, text } = setUp();
    const cause = new Error('outer', { cause: new Error('inner') });
    const failure = await steps.run(plan, () => Promise.reject(cause)).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StepFailure);
    expect((failure as StepFailure).failed).toEqual({
      step: 'keyd',
      expected: 'a socket',
      came: 'outer: inner',
      remedy: 'look',
    });
    expect(text()).toBe('  ✗ keyd\n');
  });

  it('stop between two when the story is called off', async () => {
    const { steps, stop } = setUp();
    stop.abort(new Error('called off'));
    await expect(steps.run(plan, async () => ({ value: 0 }))).rejects.toThrow('called off');
  });
});
