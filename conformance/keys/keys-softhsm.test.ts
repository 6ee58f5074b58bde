import { afterAll, test } from 'vitest';
import { Context, launchFromEnv } from '../runner/index.ts';
import { partOf, testsOf } from './tests-of.ts';

const context = new Context(launchFromEnv());
afterAll(() => context.dispose());

for (const { title, run } of testsOf(context, partOf('softhsm'))) test(title, run);
