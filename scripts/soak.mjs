// `npm run soak`: the set-up, then the long runs (whole seed runs, mutations, simulated years) with the arguments given to vitest.
// Runs on Node 20 or newer.
import { runTool } from './checks.mjs';
import { setUp } from './setup.mjs';

try {
  const { node } = await setUp({ forTests: true });
  process.exitCode = await runTool(node, 'vitest', [
    'run',
    '--config',
    'vitest.soak.config.ts',
    ...process.argv.slice(2),
  ]);
} catch (error) {
  process.stderr.write(`set-up: ${error.message}\n`);
  process.exitCode = 1;
}
