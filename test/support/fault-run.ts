import { createHmac } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assemble, type Settings } from '../../impl/identity/index.ts';
import { type ServiceApi, ServiceError, toUid } from '../../impl/ipc/index.ts';
import { createLogger } from '../../impl/process/index.ts';
import { type FaultCloud, randomFault } from './fault-cloud.ts';
import {
  createMemoryCertd,
  createMemoryKeyd,
  issueElsewhere,
  type MemoryCertd,
  type MemoryKeyd,
} from './memory-services.ts';

const MASTER_KEY = Buffer.alloc(32, 1);
const DEVICE_KEY = Buffer.alloc(32, 4);
const NAMES = ['a', 'b', 'c', 'd', '$edgeAgent'];
const LIFETIME_SEC = 30 * 86_400;

/** Mulberry32. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Verb = 'GET' | 'POST' | 'DELETE';

async function callApi(api: ServiceApi, method: Verb, target: string, body?: unknown) {
  const url = new URL(target, 'http://identityd.sock');
  for (const route of api.routes) {
    const match = route.path.exec(url.pathname);
    const found = match && route.methods[method];
    if (!match || !found) continue;
    const params = match.slice(1).map((text) => decodeURIComponent(text ?? ''));
    const { signal } = new AbortController();
    try {
      return await found.handle({
        uid: toUid(0),
        params,
        query: url.searchParams,
        version: '2022-08-01',
        body,
        signal,
      });
    } catch (error) {
      if (error instanceof ServiceError) return { status: error.status, body: { message: error.message } };
      throw error;
    }
  }
  throw new Error(`no route for ${target}`);
}

/** One device of a run: its home, its services, and the daemon that is started and stopped on them. */
class Run {
  readonly logged: string[] = [];
  readonly keyd: MemoryKeyd = createMemoryKeyd({ 'device-id': DEVICE_KEY, aziot_identityd_master_id: MASTER_KEY });
  readonly certd: MemoryCertd;
  readonly id: string;
  readonly x509: boolean;
  configured: string[] = [];
  trusted = true;
  stopping: AbortController | undefined;
  daemon: Awaited<ReturnType<typeof assemble>> | undefined;
  readonly cloud: FaultCloud;
  readonly random: () => number;
  readonly homedir: string;

  constructor(cloud: FaultCloud, seed: number, homedir: string) {
    this.cloud = cloud;
    this.random = seeded(seed);
    this.homedir = homedir;
    this.id = `dev-${seed}`;
    this.x509 = this.random() < 0.5;
    this.certd = createMemoryCertd(cloud.deviceCa, LIFETIME_SEC);
    this.pickModules();
  }

  pick<T>(from: readonly T[]): T {
    const chosen = from[Math.floor(this.random() * from.length)];
    if (chosen === undefined) throw new Error('nothing to pick from');
    return chosen;
  }

  pickModules(): void {
    this.configured = NAMES.filter(() => this.random() < 0.5);
  }

  settings(): Settings {
    const autoRenew = { rotateKey: true, threshold: '50%', retry: '5%' };
    const attestation = this.x509
      ? ({ method: 'x509', certId: 'idcert', keyPairId: 'idkey', registrationId: this.id, autoRenew } as const)
      : ({ method: 'symmetric_key', registrationId: this.id, keyId: 'device-id' } as const);
    return {
      hostname: 'host',
      homedir: this.homedir,
      preferModuleCache: false,
      maxRequests: 10,
      cloudTimeoutSec: 70,
      cloudRetries: 1,
      provisioning: {
        ...{ source: 'dps', gateway: undefined, payloadUri: undefined, attestation },
        endpoint: this.cloud.dps.url,
        scopeId: this.cloud.dps.scopeId,
      },
      principals: this.configured.map((name, index) => ({
        ...{ uid: 4000 + index, name, idTypes: ['module'], localPurpose: undefined },
      })),
      localIdDomain: undefined,
    };
  }

  async start(): Promise<void> {
    const stopping = new AbortController();
    const { clock } = this.cloud;
    const log = createLogger({
      ...{ target: 'identityd', filter: 'info', now: () => clock.now() },
      write: (line) => void this.logged.push(line),
    });
    const away = () => Promise.reject(new Error('tpmd is away'));
    this.daemon = await assemble({
      settings: () => this.settings(),
      ...{ keyd: this.keyd, certd: this.certd, clock, log, random: this.random },
      tpmd: { keys: away, importKey: away, sign: away, close: async () => undefined },
      cloud: {
        send: this.cloud.sendFor(this.keyd),
        trust: async () => (this.trusted ? this.cloud.good : this.cloud.bad),
        signal: stopping.signal,
        ...{ proxy: undefined, clock, log, random: this.random, retries: 1, keydSocketPath: '/nowhere' },
        // real time: a simulator that is busy may take this long
        timeoutMs: 5000,
      },
    });
    this.stopping = stopping;
    this.daemon.provisioner.start();
  }

  async stop(): Promise<void> {
    this.stopping?.abort(new Error('the service stops'));
    await this.daemon?.close();
    this.daemon = undefined;
  }

  call(method: Verb, target: string, body?: unknown) {
    if (!this.daemon) throw new Error('the daemon is not started');
    return callApi(this.daemon.api, method, target, body);
  }

  addFaults(): void {
    for (const service of ['dps', 'hub'] as const) {
      const { faults } = this.cloud[service];
      const rules = Math.floor(this.random() * 4);
      for (let rule = 0; rule < rules; rule++) {
        faults.add({ fault: randomFault(this.random, service), probability: 0.1 + 0.5 * this.random() });
      }
    }
  }

  /** One thing that happens to the device while its cloud is unwell. */
  readonly happenings: readonly (() => Promise<unknown>)[] = [
    () => this.call('POST', '/identities/device/reprovision'),
    () => this.call('POST', '/identities/device/reprovision'),
    async () => {
      this.pickModules();
      this.daemon?.provisioner.reconcileSoon();
    },
    async () => {
      await this.stop();
      await this.start();
    },
    () => this.call('GET', `/identities/modules/${encodeURIComponent(this.pick(NAMES))}?type=aziot`),
    () => this.call('GET', '/identities/modules?type=aziot'),
    async () => {
      this.keyd.away = true;
      await this.call('GET', '/identities/modules?type=aziot');
      this.keyd.away = false;
    },
    async () => {
      this.certd.away = true;
      await this.call('POST', '/identities/device/reprovision');
      this.certd.away = false;
    },
    async () => {
      this.trusted = false;
      await this.call('POST', '/identities/device/reprovision');
      this.trusted = true;
    },
    async () => {
      if (!this.x509 || !this.certd.certificates.has('idcert')) return;
      const pem = await issueElsewhere(this.cloud.deviceCa, this.keyd.renew('idkey'), `CN=${this.id}`, LIFETIME_SEC);
      this.certd.certificates.set('idcert', pem);
    },
    async () => this.cloud.clock.advance(this.random() * 20 * 86_400_000),
  ];

  async trouble(): Promise<void> {
    const steps = 2 + Math.floor(this.random() * 4);
    for (let step = 0; step < steps; step++) {
      const happening = this.pick(this.happenings);
      if (this.random() < 0.3) await Promise.all([happening(), this.call('POST', '/identities/device/reprovision')]);
      else await happening();
    }
  }

  /** Waits until nothing is left to be tried again. */
  async settle(): Promise<void> {
    const end = performance.now() + 60_000;
    for (;;) {
      const report = this.daemon?.provisioner.report();
      const { state, running, nextAttempt } = report ?? {};
      if (state === 'provisioned' && !running && nextAttempt === undefined) return;
      if (performance.now() > end) throw new Error(`not settled: ${JSON.stringify(report)}`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** What the invariant says; throws where it does not hold. */
  async judge(): Promise<void> {
    const device = await this.call('POST', '/identities/device', { type: 'aziot' });
    const spec = (device as { body?: { spec?: { deviceId?: string; hubName?: string } } }).body?.spec;
    if (spec?.deviceId !== this.id || spec.hubName !== this.cloud.hub.hostName) {
      throw new Error(`the device is ${JSON.stringify(device)}`);
    }
    const modules = this.cloud.hub.registry.listModules(this.id);
    const names = modules.map(({ moduleId }) => moduleId).sort();
    const wanted = [...this.configured].sort();
    if (names.join() !== wanted.join()) throw new Error(`the hub has [${names}] in place of [${wanted}]`);
    for (const { moduleId, generationId, authentication } of modules) {
      const key = createHmac('sha256', MASTER_KEY).update(`${moduleId}:${generationId}:primary`).digest('base64');
      if (authentication.type !== 'sas' || authentication.primaryKey !== key) {
        throw new Error(`module ${moduleId} has other keys than identityd signs with`);
      }
    }
  }
}

/**
 * Provision, reconcile, reprovision while DPS and hub fail at random, then let it be quiet: the device is provisioned and the hub's modules are
 * the configured ones, with the keys that identityd derives. Throws with seed and log where that does not hold.
 */
export async function faultRun(cloud: FaultCloud, seed: number): Promise<void> {
  const homedir = await mkdtemp(join(tmpdir(), 'aziot-run-'));
  cloud.reseed(seed);
  const run = new Run(cloud, seed, homedir);
  if (!run.x509) {
    cloud.dps.enrollments.addIndividual({
      registrationId: run.id,
      attestation: {
        type: 'symmetricKey',
        primaryKey: DEVICE_KEY.toString('base64'),
        secondaryKey: Buffer.alloc(32, 5).toString('base64'),
      },
    });
  }
  try {
    run.addFaults();
    await run.start();
    await run.trouble();
    cloud.dps.faults.clear();
    cloud.hub.faults.clear();
    await run.settle();
    await run.judge();
  } catch (error) {
    throw new Error(`seed ${seed}: ${(error as Error).message}\n${run.logged.slice(-60).join('')}`, { cause: error });
  } finally {
    await run.stop();
    cloud.hub.registry.removeDevice(run.id);
    await rm(homedir, { recursive: true, force: true });
  }
}
