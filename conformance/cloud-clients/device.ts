import { setTimeout as sleep } from 'node:timers/promises';
import vectors from '../../fixtures/vectors/sas-tokens.json' with { type: 'json' };
import { attachCloud, type CloudLink, type SeenRequest } from '../cloud/index.ts';
import type { Context, World } from '../runner/index.ts';

const [{ key: KEY } = { key: '' }] = vectors.made;
/** The key of the vectors of cloud.md 2. */
export const VECTOR_KEY = Buffer.from(KEY, 'base64');
/** What a hub knows of a device with that key. */
export const HUB_KEYS = { type: 'sas', primaryKey: KEY, secondaryKey: KEY };
const WAIT_MS = 30_000;

/** What is particular to one device. */
export interface DeviceWish {
  /** `[provisioning]` with its sub-tables. */
  readonly provisioning: string;
  /** The device key that keyd holds under `device-id`. */
  readonly key: Uint8Array;
}

/** A cloud and a running keyd; identityd is configured, and not started. */
export async function deviceWith(
  context: Context,
  { provisioning, key }: DeviceWish,
): Promise<CloudLink & { world: World }> {
  const world = await context.fresh();
  const link = await attachCloud(world);
  await world.file('pre/device-id', Buffer.from(key), 0o600);
  const preloaded = '[preloaded_keys]\ndevice-id = "file://@ROOT@/pre/device-id"\n';
  await world.configure('keyd', { main: `[aziot_keys]\nhomedir_path = "@ROOT@/keyd/home"\n${preloaded}` });
  const head = 'cloud_retries = 0\nhostname = "device-host"\nhomedir = "@ROOT@/identityd/home"\n';
  await world.configure('identityd', { main: `${head}${provisioning}` });
  await world.start('keyd');
  return { world, ...link };
}

/** `[provisioning]` of an enrolment by symmetric key. */
export const byDps = (scopeId: string, registrationId: string): string => `[provisioning]
source = "dps"
global_endpoint = "https://dps.iot.test/"
scope_id = "${scopeId}"
[provisioning.attestation]
method = "symmetric_key"
registration_id = "${registrationId}"
symmetric_key = "device-id"
`;

/** `[provisioning]` of a device that is named by hand; `gateway` is the parent that it asks instead of the hub. */
export const byHand = (hub: string, deviceId: string, gateway?: string): string => `[provisioning]
source = "manual"
${gateway ? `local_gateway_hostname = "${gateway}"\n` : ''}iothub_hostname = "${hub}"
device_id = "${deviceId}"
[provisioning.authentication]
method = "sas"
device_id_pk = "device-id"
`;

/** The requests that a service saw, once there are so many. */
export async function requestsTo(
  { cloud }: Pick<CloudLink, 'cloud'>,
  service: SeenRequest['service'],
  count: number,
): Promise<readonly SeenRequest[]> {
  const deadline = performance.now() + WAIT_MS;
  for (;;) {
    const found = (await cloud.journal()).filter((one) => one.service === service);
    if (found.length >= count) return found;
    if (performance.now() > deadline) throw new Error(`${service} saw ${found.length} requests, not ${count}`);
    await sleep(50);
  }
}

/** The first request that a service sees. */
export async function firstTo(link: Pick<CloudLink, 'cloud'>, service: SeenRequest['service']): Promise<SeenRequest> {
  const [first] = await requestsTo(link, service, 1);
  if (!first) throw new Error(`${service} saw no request`);
  return first;
}

/** The value of a header of a request. */
export const headerOf = ({ headers }: SeenRequest, name: string): string | undefined =>
  headers.find(([candidate]) => candidate.toLowerCase() === name)?.[1];

/** The path of a request, also where a client behind a proxy sends the whole address. */
export const pathIn = ({ target }: SeenRequest): string => new URL(target, 'https://service').pathname;
