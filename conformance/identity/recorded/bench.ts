import { rm } from 'node:fs/promises';
import { ConnectProxy, StandInCloud } from '../../cloud/index.ts';
import type { DaemonConfig, DaemonProcess, World } from '../../runner/index.ts';
import { CLOUD_ADDRESS, deviceCaPem, type Materials, makeMaterials } from './materials.ts';

/** Names of the cloud that recorded requests go to; those with a port are led there too. */
const HUBS = ['hub1.iot.test', 'hub1.iot.test:8443', 'hub2.iot.test', CLOUD_ADDRESS];
const SERVER_NAMES = ['hub1.iot.test', 'hub2.iot.test', 'gw.iot.test', 'dps.iot.test'];
const OTHER_NAMES = ['gw.iot.test:8443', 'wrong.iot.test', 'untrusted.iot.test:8444'];
const SCOPE = '0ne00Test01';

/** What one replay of identity.json works with: the stand-in cloud, the way to it, and what was configured last. */
export class Bench {
  readonly world: World;
  readonly materials: Materials;
  readonly cloud: StandInCloud;
  readonly proxy: ConnectProxy;
  /** Scenario whose set-up is in force. */
  scene = '';
  /** Variables of identityd that name a proxy; undefined: that of the bench. And its user, where it is another one. */
  env: Readonly<Record<string, string>> | undefined;
  uid: number | undefined;
  /** Requests of the cloud that earlier steps have dealt with, and those of the proxy. */
  seenBefore = 0;
  connectsBefore = 0;
  readonly notes = new Map<string, unknown>();

  private constructor(world: World, materials: Materials, cloud: StandInCloud, proxy: ConnectProxy) {
    this.world = world;
    this.materials = materials;
    this.cloud = cloud;
    this.proxy = proxy;
  }

  static async create(world: World): Promise<Bench> {
    const materials = await makeMaterials(world, SERVER_NAMES);
    await world.file('ca.pem', materials.rootPem);
    const cloud = await StandInCloud.start({
      credential: materials.server,
      untrusted: { name: 'untrusted.iot.test', credential: materials.untrusted },
      clientCas: [deviceCaPem(materials), materials.localCaPem],
      scopeId: SCOPE,
      hubNames: HUBS,
    });
    world.onDispose(() => cloud.stop());
    const proxy = await ConnectProxy.start();
    world.onDispose(() => proxy.stop());
    return new Bench(world, materials, cloud, proxy);
  }

  connect(): void {
    for (const name of [...new Set([...HUBS, ...SERVER_NAMES, ...OTHER_NAMES])]) this.proxy.lead(name, this.cloud.port);
  }

  cut(...names: readonly string[]): void {
    for (const name of names) this.proxy.cut(name);
    if (names.length === 0) this.proxy.cutAll();
  }

  /** Starts identityd without waiting for more than its process. */
  launch(): DaemonProcess {
    const env = { SSL_CERT_FILE: this.world.path('ca.pem'), ...(this.env ?? { HTTPS_PROXY: this.proxy.url }) };
    return this.world.launch('identityd', env, undefined, this.uid);
  }

  /** Ends all daemons, forgets the cloud, and starts keyd and certd with these configurations and empty folders. */
  async reset(keyd: DaemonConfig, certd: DaemonConfig): Promise<void> {
    const { world } = this;
    for (const daemon of ['identityd', 'certd', 'keyd'] as const) await world.stop(daemon);
    for (const folder of ['identityd/home', 'keyd/home', 'certd/home'])
      await rm(world.path(...folder.split('/')), { recursive: true, force: true });
    this.cloud.clear();
    this.notes.clear();
    this.seenBefore = 0;
    this.env = undefined;
    this.uid = undefined;
    this.connect();
    await world.configure('keyd', keyd);
    await world.configure('certd', certd);
    await world.start('keyd');
    await world.start('certd');
  }
}
