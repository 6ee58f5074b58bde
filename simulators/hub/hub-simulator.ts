import { randomBytes } from 'node:crypto';
import {
  type Clock,
  createFaultScript,
  createJournal,
  type FaultScript,
  type FrontDoor,
  type FrontDoorAnswer,
  type FrontDoorRequest,
  type Journal,
  openStateStore,
  SystemClock,
  startFrontDoor,
  type TestPki,
} from '../common/index.ts';
import type { Principal } from './access.ts';
import type { AuthenticationInput } from './authentication.ts';
import { type ErrorVoice, HubError, hubErrorBody } from './errors.ts';
import { type HubAnswer, type HubWorld, handleHubRequest, refusalReason } from './handler.ts';
import type { IdRule } from './ids.ts';
import { IdentityRegistry } from './registry.ts';
import { MessageLog } from './telemetry.ts';

/** The API versions that a hub serves by default: the one of the identity service, and those of the SDKs. */
export const HUB_API_VERSIONS: readonly string[] = [
  '2017-11-08-preview',
  '2016-11-14',
  '2018-06-30',
  '2019-10-01',
  '2020-03-13',
  '2020-09-30',
  '2021-04-12',
];

/** A second listener before the same registry: a parent that devices reach under another name (spec cloud.md 10.10). */
export interface GatewayOptions {
  host?: string;
  port?: number;
  /** A name beside `localhost` that its certificate is for. */
  hostName?: string;
  /** How it words refusals; `hub` by default. */
  errors?: ErrorVoice;
}

export interface HubOptions {
  pki: TestPki;
  clock?: Clock;
  host?: string;
  /** 0, the default, takes any free port. */
  port?: number;
  /** The name that tokens must be for; `localhost:PORT` by default. */
  hostName?: string;
  /** Further names that a token may be for. */
  aliases?: readonly string[];
  /** Where the state survives a kill; in memory by default. */
  stateDir?: string;
  journal?: Journal;
  faults?: FaultScript;
  gateway?: GatewayOptions;
  apiVersions?: readonly string[];
  idRule?: IdRule;
}

/** A listener that devices reach. */
export interface HubListener {
  /** With its port where that is part of the name. */
  hostName: string;
  url: string;
  faults: FaultScript;
}

/** What provisioning needs of this hub; fits the `HubLink` of the DPS simulator. */
export interface ProvisioningLink {
  hostName: string;
  assign(device: { deviceId: string; authentication: AuthenticationInput; edge: boolean }): Promise<void>;
  remove(deviceId: string): Promise<void>;
}

export interface HubSimulator extends HubListener {
  registry: IdentityRegistry;
  /** The last messages that devices and modules sent. */
  messages: MessageLog;
  journal: Journal;
  link: ProvisioningLink;
  gateway?: HubListener;
  close(): Promise<void>;
}

/**
 * Starts a simulated IoT Hub: identity registry with module management by devices, and device-to-cloud messages over
 * HTTPS (spec cloud.md 10). Strict: every credential is verified as the service does.
 */
export async function createHubSimulator(options: HubOptions): Promise<HubSimulator> {
  const clock = options.clock ?? new SystemClock();
  const journal = options.journal ?? createJournal();
  const now = () => clock.now();
  const store = openStateStore({ stateDir: options.stateDir, name: 'hub' });
  const registry = new IdentityRegistry({ store, now, idRule: options.idRule ?? 'azure' });
  const messages = new MessageLog();
  const hostNames: string[] = [...(options.aliases ?? [])];
  const world: HubWorld = { registry, messages, hostNames, apiVersions: options.apiVersions ?? HUB_API_VERSIONS, now };

  const listen = async (service: string, listener: GatewayOptions, faults = createFaultScript()) => {
    const door = await startFrontDoor({
      service,
      tls: await options.pki.issueServerCertificate({ hosts: certificateHosts(listener.hostName) }),
      handler: async (request) => answer(request, world, listener.errors ?? 'hub'),
      journal,
      faults,
      clock,
      host: listener.host,
      port: listener.port,
    });
    const hostName = listener.hostName ?? `localhost:${door.port}`;
    return { door, listener: { hostName, url: door.url, faults } };
  };

  const doors: FrontDoor[] = [];
  const close = async () => {
    await Promise.all(doors.map((door) => door.close()));
    store.close();
  };
  try {
    const main = await listen('hub', options, options.faults);
    doors.push(main.door);
    hostNames.push(main.listener.hostName);
    const gateway = options.gateway && (await listen('gateway', options.gateway));
    if (gateway) doors.push(gateway.door);
    return {
      ...main.listener,
      registry,
      messages,
      journal,
      link: linkOf(main.listener.hostName, registry),
      ...(gateway ? { gateway: gateway.listener } : {}),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function linkOf(hostName: string, registry: IdentityRegistry): ProvisioningLink {
  return {
    hostName,
    assign: async (device) => {
      registry.upsertDevice(device);
    },
    remove: async (deviceId) => {
      registry.removeDevice(deviceId);
    },
  };
}

/** Host names that the certificate of a listener is for: loopback, and the name that devices use. */
function certificateHosts(hostName: string | undefined): string[] {
  const own = hostName?.replace(/:\d+$/, '');
  return [...new Set(['localhost', '127.0.0.1', ...(own ? [own] : [])])];
}

function answer(request: FrontDoorRequest, world: HubWorld, voice: ErrorVoice): FrontDoorAnswer {
  const { entry } = request;
  const proven = (principal: Principal) => {
    entry.principal = describe(principal);
  };
  try {
    return written(handleHubRequest({ ...request, certificates: request.clientChain }, world, proven));
  } catch (error) {
    const refusal = error instanceof HubError ? error : new HubError('serverError', 'the simulator failed');
    entry.reason = error instanceof HubError ? refusalReason(error) : String(error);
    const trackingId = randomBytes(16).toString('hex');
    return written({
      status: refusal.status,
      headers: { 'iothub-errorcode': refusal.errorName },
      body: hubErrorBody(refusal, voice, trackingId, world.now()),
    });
  }
}

function written({ status, headers, body }: HubAnswer): FrontDoorAnswer {
  if (body === undefined) return { status, headers };
  return {
    status,
    headers: { 'Content-Type': 'application/json; charset=utf-8', ...headers },
    body: JSON.stringify(body),
  };
}

function describe({ deviceId, moduleId, kind, by }: Principal): string {
  const who = moduleId === undefined ? `device ${deviceId}` : `module ${deviceId}/${moduleId}`;
  return `${who} (${kind}, ${by})`;
}
