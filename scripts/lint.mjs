// `npm run lint`: the set-up, then the checks of the tree. Runs on Node 20 or newer.
import { runChecks } from './checks.mjs';
import { setUp } from './setup.mjs';

try {
  const { node } = await setUp();
  const failed = await runChecks(node);
  if (failed.length > 0) process.stderr.write(`failed: ${failed.join(', ')}\n`);
  process.exitCode = failed.length === 0 ? 0 : 1;
} catch (error) {
  process.stderr.write(`set-up: ${error.message}\n`);
  process.exitCode = 1;
}
