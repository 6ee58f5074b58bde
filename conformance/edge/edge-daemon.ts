import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Daemon } from '../runner/index.ts';
import {
  bodyText,
  EdgeExit,
  ensureEdgeCa,
  hasStatus,
  type Renewal,
  type RenewalWay,
  renewEdgeCa,
  text,
} from './edge-ca.ts';
import { EdgeClient, type EdgeResult, type EdgeTimes, RELEASE_TIMES, rawSegment } from './edge-client.ts';

export interface EdgeOptions {
  readonly socketOf: (daemon: Daemon) => string;
  readonly uid: number;
  readonly times?: EdgeTimes;
}

/** The device as identityd names it. */
export interface EdgeDevice {
  readonly deviceId: string;
  readonly hubName: string;
  readonly gatewayHost: string;
}

/** What a start did that costs the user something. */
export interface StartOutcome {
  readonly device: EdgeDevice;
  /** True when a certificate authority was made: every server certificate below the old one is void. */
  readonly madeCa: boolean;
  /** True when all modules were removed since the device's data had changed or were unknown. */
  readonly removedModules: boolean;
  /** The answer to the agent's identity; undefined when its container existed. */
  readonly agent: EdgeResult | undefined;
}

const AGENT = '$edgeAgent';

/**
 * A stand-in of the IoT Edge daemon (edge-runtime.md): it asks the three services what the daemon asks, in its order and form, and
 * draws its conclusions. Containers are names in a set.
 */
export class EdgeDaemon {
  readonly client: EdgeClient;
  /** Containers that exist. */
  readonly containers = new Set<string>();
  /** How often it was misled into a reprovisioning that nobody asked for. */
  misled = 0;
  #provisioningState: string | undefined;
  #edgeCa = '';
  readonly #times: EdgeTimes;

  constructor({ socketOf, uid, times = RELEASE_TIMES }: EdgeOptions) {
    this.client = new EdgeClient(socketOf, uid, times);
    this.#times = times;
  }

  /** The PEM of the edge CA that the daemon knows. */
  get edgeCa(): string {
    return this.#edgeCa;
  }

  /** A start of the daemon, up to the watchdog's first look. Throws EdgeExit where the daemon would exit. */
  async start(mode: 'on-error' | 'always' = 'on-error'): Promise<StartOutcome> {
    if (mode === 'always') {
      this.#provisioningState = undefined;
      const done = await this.client.ask('identityd', 'POST', '/identities/device/reprovision', { type: 'aziot' });
      if (!hasStatus(done, 204)) throw new EdgeExit(`reprovisioning failed: ${text(done)}`);
    }
    const device = await this.#device();
    const { pem, made } = await ensureEdgeCa(this.client, device.deviceId);
    this.#edgeCa = pem;
    const state = createHash('sha256')
      .update(JSON.stringify([device.deviceId, device.gatewayHost, device.hubName]))
      .digest('base64');
    const removedModules = this.#provisioningState !== state;
    if (removedModules) this.containers.clear();
    this.#provisioningState = state;
    return { device, madeCa: made, removedModules, agent: await this.watch() };
  }

  /** The watchdog's look: the agent's identity and container, where the container is missing. */
  async watch(): Promise<EdgeResult | undefined> {
    if (this.containers.has('edgeAgent')) return undefined;
    const agent = await this.updateIdentity(AGENT);
    if (hasStatus(agent, 200)) this.containers.add('edgeAgent');
    return agent;
  }

  /** What a call of the agent to the management API's reprovision does before the daemon restarts. */
  async reprovision(): Promise<EdgeResult> {
    this.#provisioningState = undefined;
    return this.client.ask('identityd', 'POST', '/identities/device/reprovision', { type: 'aziot' });
  }

  /** A due renewal of the edge CA. */
  async renew(way: RenewalWay): Promise<Renewal> {
    const renewal = await renewEdgeCa(this.client, this.#edgeCa, way);
    if (renewal.kind === 'renewed') {
      const current = await this.client.ask('certd', 'GET', '/certificates/aziot-edged-ca');
      this.#edgeCa = bodyText(current, 'pem') ?? '';
    }
    return renewal;
  }

  listIdentities(): Promise<EdgeResult> {
    return this.client.ask('identityd', 'GET', '/identities/modules?type=aziot');
  }

  getIdentity(moduleId: string): Promise<EdgeResult> {
    return this.client.ask('identityd', 'GET', `/identities/modules/${rawSegment(moduleId)}?type=aziot`);
  }

  createIdentity(moduleId: string): Promise<EdgeResult> {
    return this.client.ask('identityd', 'POST', '/identities/modules', { type: 'aziot', moduleId });
  }

  updateIdentity(moduleId: string): Promise<EdgeResult> {
    const path = `/identities/modules/${rawSegment(moduleId)}?type=aziot`;
    return this.client.ask('identityd', 'PUT', path, { type: 'aziot', moduleId });
  }

  deleteIdentity(moduleId: string): Promise<EdgeResult> {
    return this.client.ask('identityd', 'DELETE', `/identities/modules/${rawSegment(moduleId)}?type=aziot`);
  }

  /** Step 1 of a start, with all that the daemon concludes from failures. */
  async #device(): Promise<EdgeDevice> {
    for (;;) {
      const answer = await this.client.ask('identityd', 'POST', '/identities/device', { type: 'aziot' });
      const device = deviceOf(answer);
      if (device) return device;
      if (answer.kind === 'closed' || answer.kind === 'answer') {
        this.misled += 1;
        this.#provisioningState = undefined;
        await this.client.ask('identityd', 'POST', '/identities/device/reprovision', { type: 'aziot' });
      }
      await delay(this.#times.againMs);
    }
  }
}

function deviceOf(answer: EdgeResult): EdgeDevice | undefined {
  if (answer.kind !== 'answer' || answer.status !== 200) return undefined;
  if (answer.body['type'] !== 'aziot') throw new EdgeExit(`the device has no hub identity: ${text(answer)}`);
  const spec = answer.body['spec'] as Record<string, unknown> | undefined;
  const { deviceId, hubName, gatewayHost } = spec ?? {};
  if (typeof deviceId !== 'string' || typeof hubName !== 'string' || typeof gatewayHost !== 'string')
    throw new EdgeExit(`the device identity is not whole: ${text(answer)}`);
  return { deviceId, hubName, gatewayHost };
}
