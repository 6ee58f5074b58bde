import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { type Context, engineFromEnv, type World } from '../runner/index.ts';

const run = promisify(execFile);
let usable: Promise<string | undefined> | undefined;

/** Why this `openssl` loads no engine; undefined when it can. */
async function whyNoEngines(): Promise<string | undefined> {
  try {
    await run('openssl', ['engine', 'dynamic']);
    return undefined;
  } catch {
    return 'needs the openssl command with support for engines (OpenSSL 1.1 or 3): apt-get install openssl';
  }
}

/** Puts the engine under test into the world's folder as `engines/aziot_keys.so`; skips the requirement where there is none. */
export async function installEngine(context: Context, world: World): Promise<void> {
  const engine = engineFromEnv(context.launch);
  if (!engine) return context.skip('no engine is given for this driver: --engine PATH');
  usable ??= whyNoEngines();
  const reason = await usable;
  if (reason !== undefined) context.skip(reason);
  if (engine.build) await run(engine.build);
  if (!existsSync(engine.file)) throw new Error(`there is no engine at ${engine.file}`);
  await mkdir(world.path('engines'), { recursive: true });
  await copyFile(engine.file, world.path('engines', 'aziot_keys.so'));
}
