import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Load, Rate } from './load.ts';

const HERE = import.meta.dirname;

/** Runs a load in a process of its own. */
export function inProcess(load: Load): Promise<Rate> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [join(HERE, 'load-process.ts')], { stdio: ['pipe', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    child.on('error', fail);
    child.on('exit', () => done(JSON.parse(text) as Rate));
    child.stdin.end(JSON.stringify(load));
  });
}

/** Bare node:http on a Unix socket, with the answer given or one of the size of a signature. */
export function ceiling(answer?: string): Promise<BareServer> {
  return served('ceiling-process.ts', answer ? [answer] : []);
}

/** A server that is measured beside a daemon. */
export interface BareServer {
  readonly socketPath: string;
  close(): void;
}

/** A server process of this folder; it is given the path of its socket, then the arguments. */
export async function served(file: string, args: readonly string[]): Promise<BareServer> {
  const root = mkdtempSync(join(tmpdir(), 'bench-'));
  const socketPath = join(root, 's.sock');
  const child = spawn(process.execPath, [join(HERE, file), socketPath, ...args], {
    stdio: 'ignore',
  });
  while (!existsSync(socketPath)) await new Promise((done) => setTimeout(done, 20));
  return {
    socketPath,
    close() {
      child.kill();
      rmSync(root, { recursive: true, force: true });
    },
  };
}
