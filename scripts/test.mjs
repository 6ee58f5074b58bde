// `npm test`: the set-up, the checks of the tree, then the tests with the arguments given. Runs on Node 20 or newer.
import { fileURLToPath } from 'node:url';
import { runChecks, runTool } from './checks.mjs';
import { setUp } from './setup.mjs';
import { checksWanted } from './setup-plan.mjs';

// the daemons of the tests are started some thousand times; what one has compiled, the next need not
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('../node_modules/.cache/compile', import.meta.url));

async function main(args) {
  const { node } = await setUp({ forTests: true });
  const wanted = checksWanted(args);
  if (!wanted) process.stderr.write('check: left out, as file names narrow this run\n');
  const failed = wanted ? await runChecks(node) : [];
  if ((await runTool(node, 'vitest', ['run', ...args])) !== 0) failed.push('tests');
  if (failed.length > 0) process.stderr.write(`failed: ${failed.join(', ')}\n`);
  return failed.length === 0 ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`set-up: ${error.message}\n`);
  process.exitCode = 1;
}
