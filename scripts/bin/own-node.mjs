import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { runForeground } from '../child.mjs';

const ROOT = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../..');

/** Runs a program of this package with the arguments given, on the `node` package's binary, else on this very Node. */
export async function runOnOwnNode(program) {
  // what this program starts a hundred times, a simulated cloud say, is compiled once
  process.env.NODE_COMPILE_CACHE ??= join(ROOT, 'node_modules/.cache/compile');
  const own = join(ROOT, 'node_modules/node/bin/node');
  const node = existsSync(own) ? own : process.execPath;
  process.exitCode = await runForeground(node, [join(ROOT, program), ...process.argv.slice(2)], { env: process.env });
}
