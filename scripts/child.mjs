// Running other programs. Runs on Node 20 or newer.
import { spawn } from 'node:child_process';

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Runs a program with this process's standard streams, hands every stop signal on to it, and resolves to its exit code
 * (128 + the signal's number where a signal ended it).
 * @param {string} command @param {string[]} args @param {import('node:child_process').SpawnOptions} [options]
 */
export function runForeground(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit', ...options });
    const forward = Object.fromEntries(FORWARDED.map((signal) => [signal, () => child.kill(signal)]));
    for (const signal of FORWARDED) process.on(signal, forward[signal]);
    const release = () => {
      for (const signal of FORWARDED) process.off(signal, forward[signal]);
    };
    child.once('error', (error) => {
      release();
      reject(error);
    });
    child.once('exit', (code, signal) => {
      release();
      resolve(code ?? 128 + ({ SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }[signal] ?? 0));
    });
  });
}

/**
 * Runs a program whose output belongs to the set-up: all of it goes to standard error. Resolves to whether it ended well.
 * @param {string} command @param {string[]} args @param {import('node:child_process').SpawnOptions} [options]
 */
export async function runStep(command, args, options = {}) {
  try {
    return (await runForeground(command, args, { stdio: ['ignore', 2, 2], ...options })) === 0;
  } catch (error) {
    process.stderr.write(`set-up: ${command} could not be started: ${error.message}\n`);
    return false;
  }
}
