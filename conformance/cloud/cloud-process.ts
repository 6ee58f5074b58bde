import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { CloudProgram } from '../runner/index.ts';

/** A TLS listener of the cloud: the name that it is called by, and its port on loopback. */
export interface CloudListener {
  readonly hostName: string;
  readonly port: number;
}

/** The line of JSON that a cloud prints when it is ready. */
export interface CloudDocument {
  /** Base URL of the control API. */
  readonly control: string;
  readonly rootPem: string;
  readonly scopeId: string;
  readonly dps: CloudListener;
  readonly hub: CloudListener;
  readonly gateway: CloudListener;
  readonly est: { readonly url: string; readonly caPem: string };
}

/** A module as the hub holds it. */
export interface HubModule {
  readonly moduleId: string;
  readonly managedBy: string | null;
  readonly generationId: string;
  readonly authentication: { readonly type: string; readonly primaryKey?: string; readonly secondaryKey?: string };
}

/** A request that DPS, hub or gateway saw. */
export interface SeenRequest {
  readonly time: number;
  readonly service: 'dps' | 'hub' | 'gateway';
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
  readonly clientChain: readonly string[];
  readonly fault?: string;
  readonly status?: number;
}

export interface TestCredential {
  readonly certPem: string;
  readonly keyPem: string;
}

/** A simulated cloud as a separate process, steered by its control API. It ends with its standard input, so with this process. */
export class CloudProcess {
  readonly facts: CloudDocument;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, facts: CloudDocument) {
    this.#child = child;
    this.facts = facts;
  }

  static async start({ program, args }: CloudProgram): Promise<CloudProcess> {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout });
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`the cloud ${program} ended with ${code} before it was ready`);
    });
    const [line] = (await Promise.race([once(lines, 'line'), ended])) as [string];
    ended.catch(() => {});
    return new CloudProcess(child, JSON.parse(line) as CloudDocument);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await ended;
  }

  /** Enrols a device at DPS; a symmetric key is base64. */
  async enrol(registrationId: string, enrolment: object): Promise<void> {
    await this.#call('PUT', ['dps', 'enrollments', registrationId], enrolment);
  }

  async enrolGroup(groupId: string, group: object): Promise<void> {
    await this.#call('PUT', ['dps', 'groups', groupId], group);
  }

  async removeEnrolment(id: string): Promise<void> {
    await this.#call('DELETE', ['dps', 'enrollments', id]);
  }

  async putDevice(deviceId: string, device: object): Promise<void> {
    await this.#call('PUT', ['hub', 'devices', deviceId], device);
  }

  async removeDevice(deviceId: string): Promise<void> {
    await this.#call('DELETE', ['hub', 'devices', deviceId]);
  }

  /** The modules of a device, by name. */
  async modules(deviceId: string): Promise<ReadonlyMap<string, HubModule>> {
    const { modules } = (await this.#call('GET', ['hub', 'devices', deviceId])) as { modules: HubModule[] };
    return new Map(modules.map((module) => [module.moduleId, module]));
  }

  async putModule(deviceId: string, moduleId: string, module: object = {}): Promise<void> {
    await this.#call('PUT', ['hub', 'devices', deviceId, 'modules', moduleId], module);
  }

  async removeModule(deviceId: string, moduleId: string): Promise<void> {
    await this.#call('DELETE', ['hub', 'devices', deviceId, 'modules', moduleId]);
  }

  /** Plays a fault for requests whose `METHOD target` contains `where`, so many times (for ever where absent). */
  async fault(
    service: SeenRequest['service'],
    fault: object,
    { where, times }: { readonly where?: string; readonly times?: number } = {},
  ): Promise<void> {
    await this.#call('POST', ['faults', service], { fault, where, times });
  }

  async clearFaults(): Promise<void> {
    await this.#call('DELETE', ['faults']);
  }

  async journal(): Promise<readonly SeenRequest[]> {
    return (await this.#call('GET', ['journal'])) as readonly SeenRequest[];
  }

  async clearJournal(): Promise<void> {
    await this.#call('DELETE', ['journal']);
  }

  /** A client certificate of a TEST authority below the cloud's root. */
  async issue(authority: string, subject: string, lifetimeSeconds?: number): Promise<TestCredential> {
    return (await this.#call('POST', ['authorities', authority], { subject, lifetimeSeconds })) as TestCredential;
  }

  async authority(name: string): Promise<{ certificatePem: string; chainPem: string; keyPem: string }> {
    return (await this.#call('GET', ['authorities', name])) as {
      certificatePem: string;
      chainPem: string;
      keyPem: string;
    };
  }

  async #call(method: string, segments: readonly string[], body?: object): Promise<unknown> {
    const url = `${this.facts.control}/${segments.map(encodeURIComponent).join('/')}`;
    const answer = await fetch(url, { method, ...(body ? { body: JSON.stringify(body) } : {}) });
    const value: unknown = await answer.json();
    if (!answer.ok) throw new Error(`the cloud refused ${method} ${url}: ${JSON.stringify(value)}`);
    return value;
  }
}
