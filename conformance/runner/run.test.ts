import { afterAll, expect, test } from 'vitest';
import { Context } from './context.ts';
import { launchFromEnv } from './launch.ts';
import { judge } from './run.ts';

const context = new Context(launchFromEnv());
afterAll(() => context.dispose());

const requirement = (run: () => Promise<void>) => ({ id: 'X-001', text: 'x', source: 'spec' as const, run });

test('a case that never ends is failed, and says so', async () => {
  const outcome = await judge(
    context,
    'group',
    requirement(() => new Promise(() => undefined)),
    20,
  );
  expect(outcome).toMatchObject({ result: 'failed', reason: 'the case did not end within 0.02 s' });
});

test('a case that ends is judged by its end', async () => {
  expect(
    await judge(
      context,
      'group',
      requirement(async () => undefined),
      10_000,
    ),
  ).toMatchObject({ result: 'passed' });
  const broken = requirement(() => Promise.reject(new Error('other')));
  expect(await judge(context, 'group', broken, 10_000)).toMatchObject({ result: 'failed', reason: 'other' });
});
