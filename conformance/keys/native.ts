import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { World } from '../runner/index.ts';

const run = promisify(execFile);
const COMPILER = '/usr/bin/gcc';

/** Why C sources cannot be compiled here; undefined when they can. */
export function compilerMissing(): string | undefined {
  return existsSync(COMPILER) ? undefined : 'needs a compiler: apt-get install gcc';
}

async function compile(world: World, source: string, output: string, args: readonly string[]): Promise<string> {
  const path = fileURLToPath(new URL(`./modules/${source}`, import.meta.url));
  await run(COMPILER, ['-Wall', '-Werror', ...args, '-o', world.path(output), path, '-ldl']);
  return world.path(output);
}

/** Compiles a module that says that it is of Cryptoki 3.0 and passes everything on to `module`; gives its path. */
export function compileCryptoki3(world: World, module: string): Promise<string> {
  return compile(world, 'cryptoki3.c', 'cryptoki3.so', ['-shared', '-fPIC', `-DSOFTHSM="${module}"`]);
}

/** Compiles the program that writes secret keys into a token; gives a function that does it. */
export async function secretWriter(
  world: World,
  module: string,
  pin: string,
): Promise<(label: string, bytes: Uint8Array) => void> {
  const program = await compile(world, 'write-secret.c', 'write-secret', []);
  const env = { ...process.env, ...world.env };
  return (label, input) => void execFileSync(program, [module, pin, label], { input, env });
}
