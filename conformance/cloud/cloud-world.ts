import { cloudFromEnv, type DaemonProcess, type StartOptions, type World } from '../runner/index.ts';
import { CloudProcess } from './cloud-process.ts';
import { ConnectProxy } from './connect-proxy.ts';

/** A simulated cloud beside the daemons of one world, and the way from them to it. */
export interface CloudLink {
  readonly cloud: CloudProcess;
  readonly proxy: ConnectProxy;
  /** What identityd is started with so that it finds the cloud. */
  readonly env: Readonly<Record<string, string>>;
}

const links = new WeakMap<World, CloudLink>();

/** Starts a cloud for the world; both end together. The cloud's root lies in `ca.pem`. */
export async function attachCloud(world: World): Promise<CloudLink> {
  const cloud = await CloudProcess.start(cloudFromEnv());
  world.onDispose(() => cloud.stop());
  const proxy = await ConnectProxy.start();
  world.onDispose(() => proxy.stop());
  const link = { cloud, proxy, env: { HTTPS_PROXY: proxy.url, SSL_CERT_FILE: world.path('ca.pem') } };
  await world.file('ca.pem', cloud.facts.rootPem);
  leadAll(link);
  links.set(world, link);
  return link;
}

/** The cloud of a world. */
export function cloudOf(world: World): CloudLink {
  const link = links.get(world);
  if (!link) throw new Error('this world was built without a cloud');
  return link;
}

/** Leads every name of the cloud to its listener. */
export function leadAll({ cloud, proxy }: Pick<CloudLink, 'cloud' | 'proxy'>): void {
  for (const { hostName, port } of [cloud.facts.dps, cloud.facts.hub, cloud.facts.gateway]) proxy.lead(hostName, port);
}

/** Cuts every name of the cloud off. */
export function cutAll({ cloud, proxy }: Pick<CloudLink, 'cloud' | 'proxy'>): void {
  for (const { hostName } of [cloud.facts.dps, cloud.facts.hub, cloud.facts.gateway]) proxy.cut(hostName);
}

/** Starts identityd of a world so that it finds the cloud. */
export function startIdentityd(world: World, options: StartOptions = {}): Promise<DaemonProcess> {
  return world.start('identityd', { ...options, env: { ...cloudOf(world).env, ...options.env } });
}
