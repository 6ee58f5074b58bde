// One set-up at a time for one copy of the tree. Runs on Node 20 or newer.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { lockIsStale } from './setup-plan.mjs';

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function ownerOf(directory) {
  try {
    const ageMs = Date.now() - statSync(directory).mtimeMs;
    let text = '';
    try {
      text = readFileSync(join(directory, 'pid'), 'utf8');
    } catch {
      // the owner has made the directory and not signed it yet
    }
    const ownerPid = /^\d+$/.test(text) ? Number(text) : undefined;
    return { ownerPid, ageMs };
  } catch {
    return undefined;
  }
}

/**
 * Waits until no other set-up works on `root`, then does `work` alone.
 * @param {string} root the folder of the tree
 * @param {(text: string) => void} say told once when there is somebody to wait for
 * @param {() => Promise<void>} work
 */
export async function alone(root, say, work) {
  const name = createHash('sha256').update(root).digest('hex').slice(0, 16);
  const directory = join(tmpdir(), `aziot-setup-${name}.lock`);
  let told = false;
  for (;;) {
    try {
      mkdirSync(directory, { mode: 0o755 });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const owner = ownerOf(directory);
    if (owner !== undefined && lockIsStale({ ...owner, isAlive })) {
      rmSync(directory, { recursive: true, force: true });
      continue;
    }
    if (!told) say(`another set-up of this tree is at work (process ${owner?.ownerPid ?? 'unknown'}), waiting for it`);
    told = true;
    await pause(250);
  }
  try {
    writeFileSync(join(directory, 'pid'), String(process.pid));
    await work();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
