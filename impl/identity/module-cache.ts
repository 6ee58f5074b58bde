import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import type { HubModule } from '../cloud/index.ts';
import { isUnfinishedWrite, objectFileName, removeFileDurable, writeFileDurable } from '../files/index.ts';
import { causeChain, type Logger } from '../process/index.ts';
import type { DevicePlace } from './device.ts';

const Text = Type.Optional(Type.Union([Type.String(), Type.Null()]));
const shape = Compile(
  Type.Object({ moduleId: Type.String(), deviceId: Type.String(), managedBy: Text, generationId: Text }),
);
const MODE = 0o644;

/** What the hub last said about the modules of a device; never holds keys (spec/identity-service.md 6.2). */
export interface ModuleCache {
  /** Makes room for this device; what was kept for another one is removed. */
  prepare(place: DevicePlace): Promise<void>;
  /** A failure is a warning. */
  put(place: DevicePlace, module: HubModule): Promise<void>;
  /** Replaces everything by this list. A failure is a warning. */
  putAll(place: DevicePlace, modules: readonly HubModule[]): Promise<void>;
  remove(place: DevicePlace, moduleId: string): Promise<void>;
  get(place: DevicePlace, moduleId: string): Promise<HubModule | undefined>;
  /** Sorted by id; undefined when there is nothing to read. Unreadable entries are left out with a warning. */
  list(place: DevicePlace): Promise<HubModule[] | undefined>;
}

const hash = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex');

function fileText(module: HubModule): string {
  const { moduleId, managedBy, deviceId, generationId } = module;
  return JSON.stringify({ moduleId, managedBy, deviceId, generationId });
}

async function readEntry(path: string): Promise<HubModule> {
  const value: unknown = JSON.parse(await readFile(path, 'utf8'));
  if (!shape.Check(value)) throw new Error('not a module');
  const { moduleId, deviceId } = value;
  return {
    moduleId,
    deviceId,
    managedBy: value.managedBy ?? undefined,
    generationId: value.generationId ?? undefined,
  };
}

/** The cache below `homedir`. */
export function createModuleCache(homedir: string, log: Logger): ModuleCache {
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
    await rm(root, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
  }

  async function write(place: DevicePlace, module: HubModule): Promise<void> {
    await mkdir(folderOf(place), { recursive: true });
    await writeFileDurable(fileOf(place, module.moduleId), fileText(module), { mode: MODE });
  }

  async function dropOthers(place: DevicePlace, modules: readonly HubModule[]): Promise<void> {
    const wanted = new Set(modules.map(({ moduleId }) => objectFileName(moduleId, '')));
    const folder = folderOf(place);
    for (const name of await readdir(folder)) {
      if (!wanted.has(name) && !isUnfinishedWrite(name)) await removeFileDurable(join(folder, name));
    }
  }

  return {
    prepare: (place) => prepare(place).catch(complain('make room')),
    put: (place, module) => write(place, module).catch(complain(`store module "${module.moduleId}"`)),
    async putAll(place, modules) {
      try {
        await prepare(place);
        for (const module of modules) {
          const known = await readEntry(fileOf(place, module.moduleId)).catch(() => undefined);
          if (!known || fileText(known) !== fileText(module)) await write(place, module);
        }
        await dropOthers(place, modules);
      } catch (error) {
        complain('store the modules')(error);
      }
    },
    async remove(place, moduleId) {
      await removeFileDurable(fileOf(place, moduleId)).catch(complain(`remove module "${moduleId}"`));
    },
    get: (place, moduleId) => readEntry(fileOf(place, moduleId)).catch(() => undefined),
    async list(place) {
      const folder = folderOf(place);
      const names = await readdir(folder).catch(() => undefined);
      if (!names) return undefined;
      const found: HubModule[] = [];
      for (const name of names.filter((entry) => !isUnfinishedWrite(entry))) {
        await readEntry(join(folder, name)).then((module) => found.push(module), complain(`read ${name}`));
      }
      return found.sort((a, b) => Buffer.compare(Buffer.from(a.moduleId), Buffer.from(b.moduleId)));
    },
  };
}
