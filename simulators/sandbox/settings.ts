import { randomBytes } from 'node:crypto';
import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { CloudPorts } from './cloud.ts';
import type { Provisioning, TokenKind } from './options.ts';
import type { CloudFacts, Secrets } from './ways.ts';

/** What a sandbox with a data folder has to find again at its next start. */
export interface Settings {
  readonly provisioning: Provisioning;
  /** Where keyd was told to keep keys; a token is described by what is needed to use it. */
  readonly store:
    | { readonly kind: 'file' }
    | {
        readonly kind: 'token';
        /** Absent: SoftHSM. */
        readonly token?: TokenKind;
        readonly label: string;
        readonly pin: string;
      };
  readonly secrets: Secrets;
  readonly cloud: CloudSettings;
}

function settingsPath(cloudFolder: string): string {
  return join(cloudFolder, 'sandbox.json');
}

/** Where the cloud is found; the same at every start. */
export interface CloudSettings extends CloudFacts {
  readonly estUrl: string;
  readonly hubUrl: string;
  readonly ports: CloudPorts;
}

/** Fresh secrets, base64 of 32 random bytes each. */
export function newSecrets(): Secrets {
  const key = () => randomBytes(32).toString('base64');
  return { deviceKey: key(), secondaryKey: key(), groupKey: key() };
}

/** Reads the settings of an earlier start; undefined where there was none. @throws Error when the file is damaged */
export async function readSettings(cloudFolder: string): Promise<Settings | undefined> {
  const path = settingsPath(cloudFolder);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return JSON.parse(text) as Settings;
  } catch (cause) {
    throw new Error(`${path} is damaged; start with another data folder`, { cause });
  }
}

/** Keeps the settings, whole or not at all. */
export async function writeSettings(cloudFolder: string, settings: Settings): Promise<void> {
  const path = settingsPath(cloudFolder);
  const unfinished = `${path}.${process.pid}`;
  const file = await open(unfinished, 'w', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(settings, undefined, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(unfinished, path);
}
