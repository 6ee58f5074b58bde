import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import type { HubModule } from '../cloud/index.ts';
import { isUnfinishedWrite, objectFileName, removeFileDurable, writeFileDurable } from '../files/index.ts';
import { type Clock, causeChain, type Logger } from '../process/index.ts';
import type { DevicePlace } from './device.ts';
import { createMemo } from './memo.ts';

const Text = Type.Optional(Type.Union([Type.String(), Type.Null()]));
const shape = Compile(
  Type.Object({ moduleId: Type.String(), deviceId: Type.String(), managedBy: Text, generationId: Text }),
);
const MODE = 0o644;
/** How long a record that was read is answered from memory. */
const KEEP_MS = 1000;

/** Something the hub said, with when it last said so (Unix milliseconds). */
export interface Kept<T> {
  readonly value: T;
  readonly confirmedAt: number;
}

/** What the hub last said about the modules of a device; never holds keys (spec/identity-service.md 6.2). */
export interface ModuleCache {
  /** Makes room for this device; what was kept for another one is removed. */
  prepare(place: DevicePlace): Promise<void>;
  /** A failure is a warning. */
  put(place: DevicePlace, module: HubModule): Promise<void>;
  /** Replaces everything by this list. A failure is a warning. */
  putAll(place: DevicePlace, modules: readonly HubModule[]): Promise<void>;
  remove(place: DevicePlace, moduleId: string): Promise<void>;
  get(place: DevicePlace, moduleId: string): Promise<Kept<HubModule> | undefined>;
  /**
   * Sorted by id, as old as its oldest record; undefined when there is nothing to read. Unreadable entries are left out with a
   * warning.
   */
  list(place: DevicePlace): Promise<Kept<HubModule[]> | undefined>;
}

const hash = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex');

function fileText(module: HubModule): string {
  const { moduleId, managedBy, deviceId, generationId } = module;
  return JSON.stringify({ moduleId, managedBy, deviceId, generationId });
}

async function readEntry(path: string): Promise<Kept<HubModule>> {
  const [text, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)]);
  const value: unknown = JSON.parse(text);
  if (!shape.Check(value)) throw new Error('not a module');
  const { moduleId, deviceId } = value;
  const record = {
    moduleId,
    deviceId,
    managedBy: value.managedBy ?? undefined,
    generationId: value.generationId ?? undefined,
  };
  return { value: record, confirmedAt: mtimeMs };
}

/** The cache below `homedir`. The time of a file is when the hub last confirmed it. */
export function createModuleCache(homedir: string, log: Logger, clock: Clock): ModuleCache {
  const memo = createMemo<Kept<HubModule> | undefined>(() => clock.now(), KEEP_MS);
  const root = join(homedir, 'modules');
  const folderOf = ({ hubName, deviceId }: DevicePlace) => join(root, `${hash(hubName)}-${hash(deviceId)}`);
  const fileOf = (place: DevicePlace, moduleId: string) => join(folderOf(place), objectFileName(moduleId, ''));
  const complain = (what: string) => (error: unknown) =>
    log.warn(`could not ${what} in the module cache: ${causeChain(error).join(': ')}`);

  async function prepare(place: DevicePlace): Promise<void> {
    const folder = folderOf(place);
    const present = await stat(folder).then(
      (found) => found.isDirectory(),
      () => false,
    );
    if (present) return;
    memo.clear();
    await rm(root, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
  }

  const nameOf = ({ hubName, deviceId }: DevicePlace, moduleId: string) => `${hubName}\n${deviceId}\n${moduleId}`;
  const recall = (place: DevicePlace, moduleId: string) =>
    memo.get(nameOf(place, moduleId), () => readEntry(fileOf(place, moduleId)).catch(() => undefined));

  /** Writes the record where it says something new; where not, only notes that it was confirmed. */
  async function store(place: DevicePlace, module: HubModule): Promise<void> {
    const path = fileOf(place, module.moduleId);
    const known = await recall(place, module.moduleId);
    if (!known || fileText(known.value) !== fileText(module)) {
      await mkdir(folderOf(place), { recursive: true });
      await writeFileDurable(path, fileText(module), { mode: MODE });
    }
    const now = clock.now() / 1000;
    await utimes(path, now, now);
    memo.forget(nameOf(place, module.moduleId));
  }

  async function dropOthers(place: DevicePlace, modules: readonly HubModule[]): Promise<void> {
    const wanted = new Set(modules.map(({ moduleId }) => objectFileName(moduleId, '')));
    const folder = folderOf(place);
    for (const name of await readdir(folder)) {
      if (wanted.has(name) || isUnfinishedWrite(name)) continue;
      await removeFileDurable(join(folder, name));
      memo.clear();
    }
    const now = clock.now() / 1000;
    await utimes(folder, now, now);
  }

  return {
    prepare: (place) => prepare(place).catch(complain('make room')),
    put: (place, module) => store(place, module).catch(complain(`store module "${module.moduleId}"`)),
    async putAll(place, modules) {
      try {
        await prepare(place);
        for (const module of modules) await store(place, module);
        await dropOthers(place, modules);
      } catch (error) {
        complain('store the modules')(error);
      }
    },
    async remove(place, moduleId) {
      await removeFileDurable(fileOf(place, moduleId)).catch(complain(`remove module "${moduleId}"`));
      memo.forget(nameOf(place, moduleId));
    },
    get: recall,
    async list(place) {
      const folder = folderOf(place);
      const names = await readdir(folder).catch(() => undefined);
      if (!names) return undefined;
      const found: Kept<HubModule>[] = [];
      for (const name of names.filter((entry) => !isUnfinishedWrite(entry))) {
        await readEntry(join(folder, name)).then((entry) => found.push(entry), complain(`read ${name}`));
      }
      const modules = found.map(({ value }) => value);
      modules.sort((a, b) => Buffer.compare(Buffer.from(a.moduleId), Buffer.from(b.moduleId)));
      const times = found.map(({ confirmedAt }) => confirmedAt);
      return { value: modules, confirmedAt: Math.min((await stat(folder)).mtimeMs, ...times) };
    },
  };
}
