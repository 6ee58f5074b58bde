import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Replay } from '../../runner/index.ts';

interface RecordedFile {
  readonly path: string;
  readonly mode: string;
  readonly content?: string;
  readonly directory?: boolean;
}

const FILE = new URL('../../../fixtures/golden/identity-state.json', import.meta.url);
const { snapshots } = JSON.parse(readFileSync(FILE, 'utf8')) as {
  snapshots: { scenario: string; at: string; files: RecordedFile[] }[];
};

/** The exchange after which a snapshot was taken, where its name does not say it. */
const AFTER: Readonly<Record<string, string>> = {
  'manual-sas|after first start': 'start',
  'manual-sas|after creating my-mod_1': 'create',
  'manual-sas|module with managedBy': 'get-managed-by',
  'manual-sas|after deleting my-mod_1': 'delete',
  'manual-sas|after manual reprovision': 'odd-json',
  'manual-sas|after reprovision whose hub list was 401': 'list-401',
  'manual-sas|after reprovision with the hub down': 'hub-down',
  'manual-sas|after restart': 'restart',
  'dps-symmetric|after first start': 'start',
  'dps-symmetric|after offline start': 'restart-all-down',
  'dps-symmetric|after failed reprovision': 'reprovision-dps-down',
  'dps-symmetric|after successful reprovision': 'reprovision-again',
  'source-none|after reprovision': 'as-4000/E9',
  'offline|manual start without a hub': 'manual-hub-refused',
  'offline|with prefer cache': 'cache-list-after',
  'offline|after the folder was lost': 'cache-get-no-folder',
  'reconcile|name with space': 'name-with-space',
  'runtime|other-scope': 'scope-device-after',
  'renewal|due-15s-after-start': 'due-15s-after-start-result',
  'extras|after switching attestation': 'switch-device-after',
};

const exchangeOf = (scenario: string, at: string): string => {
  const named = AFTER[`${scenario}|${at}`] ?? (at === 'after start' ? 'start' : at.replace(/^hub /, ''));
  return `${scenario}/${named}`;
};

const SNAPSHOTS = new Map(snapshots.map(({ scenario, at, files }) => [exchangeOf(scenario, at), files]));

/** Files of this project's own beside the reference's: what ties the backup to its enrolment, and what is under way. */
const OWN_FILES = /^(provisioning_digest|reconciliation_progress|module_creations|renewal_journal)/;

async function filesBelow(folder: string, path = ''): Promise<string[]> {
  const entries = await readdir(join(folder, path), { withFileTypes: true }).catch(() => []);
  const found: string[] = [];
  for (const entry of entries) {
    const inside = join(path, entry.name);
    found.push(inside, ...(entry.isDirectory() ? await filesBelow(folder, inside) : []));
  }
  return found.sort();
}

async function describe(folder: string, path: string, root: string): Promise<RecordedFile> {
  const { mode } = await stat(join(folder, path));
  const shown = `0o${(mode & 0o7777).toString(8)}`;
  if ((mode & 0o170000) === 0o040000) return { path, mode: shown, directory: true };
  const content = (await readFile(join(folder, path), 'utf8')).replaceAll(root, '@ROOT@');
  return { path, mode: shown, content };
}

/** Compares the home directory with the snapshot that was taken after this exchange, if there is one. */
export async function compareFiles({ world, difference }: Replay, id: string): Promise<void> {
  const recorded = SNAPSHOTS.get(id);
  if (!recorded) return;
  const folder = world.path('identityd', 'home');
  const free = (path: string) => difference?.files?.some((name) => path.includes(name)) === true;
  const paths = (await filesBelow(folder)).filter((path) => !OWN_FILES.test(path) && !free(path));
  const found = await Promise.all(paths.map((path) => describe(folder, path, world.root)));
  const wanted = recorded.filter(({ path }) => !free(path)).toSorted((a, b) => (a.path < b.path ? -1 : 1));
  assert.deepEqual(found, wanted, `the files after ${id}`);
}
