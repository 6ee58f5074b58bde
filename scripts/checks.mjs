// The checks of the tree: format and lint rules, types, architecture, dead code. Runs on Node 20 or newer.
import { delimiter, dirname, join } from 'node:path';
import { runForeground } from './child.mjs';
import { ROOT } from './setup.mjs';

const BIN = join(ROOT, 'node_modules/.bin');
const CHECKS = [
  ['format and lint', 'biome', ['check', '.']],
  ['types', 'tsc', ['-p', '.', '--noEmit']],
  ['architecture', 'depcruise', ['impl', 'simulators', 'conformance', 'test', 'bench', 'scripts']],
  ['dead code', 'knip', []],
];

/** Runs a development tool of the tree on the product's Node. @param {string} node @param {string} tool @param {string[]} args */
export function runTool(node, tool, args) {
  // every tool is a script that looks for `node`: it must find the product's
  const env = { ...process.env, PATH: [dirname(node), BIN, process.env.PATH].join(delimiter) };
  return runForeground(join(BIN, tool), args, { cwd: ROOT, env });
}

/** Runs every check, also after one that failed. @param {string} node @returns {Promise<string[]>} the names of those that failed */
export async function runChecks(node) {
  const failed = [];
  for (const [what, tool, args] of CHECKS) {
    process.stderr.write(`check: ${what}\n`);
    if ((await runTool(node, tool, args)) !== 0) failed.push(what);
  }
  return failed;
}
