import { type ChildProcess, spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const MAIN = resolve(import.meta.dirname, '../simulators/sandbox/main.ts');

/** The document of `aziot-sandbox --json`. */
export interface SandboxDocument {
  readonly hub: string;
  readonly deviceId: string;
  readonly attestation: 'x509' | 'symmetric_key' | 'sas' | 'tpm';
  readonly certificate?: {
    readonly subject: string;
    readonly issuer: string;
    readonly notAfter: string;
    readonly pem: string;
    readonly caPem: string;
  };
  readonly keyLocation: 'pkcs11' | 'file' | 'tpm';
  readonly modules: readonly { readonly moduleId: string; readonly genId: string }[];
  readonly host: { readonly moduleId: string; readonly sasAccepted: boolean | null };
  readonly sockets: Readonly<Record<'keyd' | 'certd' | 'identityd', string>>;
  readonly timingsMs: Readonly<Record<string, number>>;
  readonly pid: Readonly<Record<'keyd' | 'certd' | 'identityd', number>>;
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A sandbox that was started. */
export interface RunningSandbox {
  readonly child: ChildProcess;
  /** Settles when it has ended. */
  readonly ended: Promise<Ended>;
  /** What it has written so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
}

/** Starts the sandbox with these arguments. */
export function startSandbox(args: readonly string[], env: NodeJS.ProcessEnv = {}): RunningSandbox {
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<Ended>((done) => child.once('close', (code) => done({ code, stdout, stderr })));
  return { child, ended, stdout: () => stdout, stderr: () => stderr };
}

/** Tells the story once and returns its document. Throws with all that was said where it does not end well. */
export async function runOnce(args: readonly string[], env?: NodeJS.ProcessEnv): Promise<SandboxDocument> {
  const { code, stdout, stderr } = await startSandbox(['--once', '--json', ...args], env).ended;
  if (code !== 0) throw new Error(`the sandbox ended with ${code}:\n${stderr}`);
  return JSON.parse(stdout) as SandboxDocument;
}

/** Waits until a sandbox that stays up has printed its document. */
export async function whenTold(sandbox: RunningSandbox): Promise<SandboxDocument> {
  let over: Ended | undefined;
  sandbox.ended.then((ended) => {
    over = ended;
  });
  for (;;) {
    try {
      return JSON.parse(sandbox.stdout()) as SandboxDocument;
    } catch {
      if (over) throw new Error(`the sandbox ended with ${over.code}:\n${over.stderr}`);
      await pause(20);
    }
  }
}

/** Whether a process exists. */
export function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}`);
}

/** Every file below `folder`. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => resolve(entry.parentPath, entry.name));
}

/** The files below `folder` that hold a private key in clear: PEM of any kind, or DER as keys are stored. */
export function clearKeyFiles(folder: string): string[] {
  return filesBelow(folder).filter((path) => {
    const bytes = readFileSync(path);
    if (bytes.includes('PRIVATE KEY-----')) return true;
    // PKCS#8 and SEC1 begin with SEQUENCE, version 0 or 1; certificates do not
    return bytes[0] === 0x30 && /^30(?:..|81..|82....)0201(?:00|01)(?:30|04)/.test(bytes.toString('hex', 0, 12));
  });
}

/** The first certificate of a PEM text. */
export function leafOf(pem: string): X509Certificate {
  return new X509Certificate(pem);
}

export const IS_ROOT = process.getuid?.() === 0;
export const SOFTHSM = ['/usr/lib/softhsm/libsofthsm2.so', '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so'].find(
  (path) => existsSync(path),
);
