// `npm run bench`: the set-up, then the benchmarks with the arguments given. Runs on Node 20 or newer.
import { join } from 'node:path';
import { runForeground } from './child.mjs';
import { ROOT, setUp } from './setup.mjs';

try {
  const { node } = await setUp();
  process.exitCode = await runForeground(node, [join(ROOT, 'bench/main.ts'), ...process.argv.slice(2)]);
} catch (error) {
  process.stderr.write(`set-up: ${error.message}\n`);
  process.exitCode = 1;
}
