import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { attachCloud, startIdentityd } from '../cloud/index.ts';
import { type Context, DAEMONS, type Daemon, type SharedWorld, type World } from '../runner/index.ts';
import type { EdgeTimes } from './edge-client.ts';
import { EdgeDaemon } from './edge-daemon.ts';

/** The daemon's user, as the recorded configurations name it. */
export const EDGE = 5558;
export const STRANGER = 5999;
export const DEVICE = 'Edge-01';
/** The key of the device: 32 bytes of 04. */
export const DEVICE_KEY = Buffer.alloc(32, 4).toString('base64');

/** Shorter pauses than those of a release, where a test has to sit through them. */
export const QUICK: EdgeTimes = { retryMs: 50, againMs: 50, keysMs: 30_000, identityMs: 600_000 };

/** An input of IoT Edge's configuration command, and the files that it wrote. */
interface ApplyCase {
  readonly id: string;
  readonly files: Readonly<Record<string, { readonly content: string; readonly mode: string }>>;
}

export type ApplyId =
  | 'default'
  | 'trust-bundle-and-mode'
  | 'quickstart'
  | 'self-signed'
  | 'local-ca'
  | 'est'
  | 'files'
  | 'nested';

async function applyCase(id: ApplyId): Promise<ApplyCase> {
  const path = fileURLToPath(new URL('../../fixtures/golden/edge-apply.json', import.meta.url));
  const { cases } = JSON.parse(await readFile(path, 'utf8')) as { cases: ApplyCase[] };
  const found = cases.find((candidate) => candidate.id === id);
  if (!found) throw new Error(`edge-apply.json has no case ${id}`);
  return found;
}

/** Paths of a device in the folders of a world. */
function inWorld(text: string): string {
  return text
    .replaceAll(/\/var\/lib\/aziot\/(keyd|certd|identityd)/g, '@ROOT@/$1/home')
    .replaceAll('/var/secrets', '@ROOT@/secrets');
}

export interface DeviceWishes {
  /** More configuration, read after the recorded files. */
  readonly more?: Partial<Record<Daemon, string>>;
  /** Changes a recorded file before it is written. */
  readonly edit?: (text: string) => string;
}

/** Writes the files that IoT Edge's configuration command wrote, principals included, and makes the edge device in the hub. */
export async function writeDevice(world: World, id: ApplyId, { more = {}, edit }: DeviceWishes = {}): Promise<void> {
  const { files } = await applyCase(id);
  const quick = { identityd: 'cloud_retries = 0\n' };
  for (const [path, { content }] of Object.entries(files)) {
    const secret = /^\/var\/secrets\/(.*)$/.exec(path)?.[1];
    if (secret) await world.file(`secrets/${secret}`, Buffer.from(content, 'hex'), 0o600);
  }
  for (const daemon of DAEMONS) {
    const content = files[`/etc/aziot/${daemon}/config.d/00-super.toml`]?.content ?? '';
    const text = inWorld(edit ? edit(content) : content);
    const own = { ...quick, ...more } as Partial<Record<Daemon, string>>;
    await world.configure(daemon, { dropIns: { '00-super.toml': text, '50-more.toml': own[daemon] ?? '' } });
  }
  const { cloud } = await attachCloud(world);
  await cloud.putDevice(DEVICE, { edge: true, authentication: { type: 'sas', primaryKey: DEVICE_KEY } });
}

export async function startServices(world: World): Promise<void> {
  await Promise.all([world.start('keyd'), world.start('certd')]);
  await startIdentityd(world);
}

/** A device as `iotedge config apply` leaves it, its services running. */
const edgeDevice: SharedWorld = {
  name: 'IoT Edge device',
  async build(world) {
    await writeDevice(world, 'default');
    await startServices(world);
  },
};

/** The stand-in of the daemon on this device. */
export function edgeDaemon(world: World, times?: EdgeTimes): EdgeDaemon {
  return new EdgeDaemon({ socketOf: (daemon) => world.socket(daemon), uid: EDGE, ...(times ? { times } : {}) });
}

const started = new WeakMap<World, EdgeDaemon>();

/** The daemon of the shared device, started once. */
export async function startedEdge(context: Context): Promise<{ world: World; edge: EdgeDaemon }> {
  context.needRoot();
  const world = await context.shared(edgeDevice);
  const known = started.get(world);
  if (known) return { world, edge: known };
  const edge = edgeDaemon(world);
  await edge.start();
  started.set(world, edge);
  return { world, edge };
}

/** A device of its own with services that run. */
export async function freshDevice(context: Context, id: ApplyId = 'default', wishes?: DeviceWishes): Promise<World> {
  context.needRoot();
  const world = await context.fresh();
  await writeDevice(world, id, wishes);
  await startServices(world);
  return world;
}
