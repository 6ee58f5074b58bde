import { asksForReprovisioning, meansOffline } from '../cloud/index.ts';
import { type Clock, causeChain, type Logger } from '../process/index.ts';
import { type Device, sameCredential, samePlace } from './device.ts';
import { cloudFailureOf, deviceNotFound } from './failures.ts';
import type { ProvisioningReport } from './provisioning-report.ts';
import {
  accessIn,
  type DeviceUse,
  deviceOf,
  nextState,
  type ProvisioningEvent,
  type ProvisioningState,
  pauseAfter,
} from './provisioning-state.ts';
import type { Settings } from './settings.ts';

/** Why provisioning runs, as the log names it. */
export type Reason = 'Startup' | 'ConfigurationFileUpdate' | 'Api' | 'Retry' | 'Renewal';

/** What provisioning works with; every effect is one of these. */
export interface ProvisioningTools {
  readonly settings: () => Settings;
  /** The device as far as it is known without asking DPS; undefined when DPS must be asked. Throws ServiceError. */
  readonly knownDevice: (settings: Settings) => Promise<Device | undefined>;
  /** A device straight from the configuration or from DPS, whatever was stored. Throws ServiceError. */
  readonly newDevice: (settings: Settings, signal: AbortSignal) => Promise<Device>;
  /** The device with a renewed certificate. Throws ServiceError; the device in use is then untouched. */
  readonly renewedDevice: (device: Device, settings: Settings, signal: AbortSignal) => Promise<Device>;
  /** Whether the certificate of a device is to be renewed before it is used. */
  readonly isRenewalDue: (device: Device, settings: Settings) => boolean;
  /** When to renew next, Unix milliseconds; undefined where nothing is renewed. */
  readonly nextRenewal: (device: Device, settings: Settings) => number | undefined;
  /** Called before a device is used, for its place in the cache. */
  readonly prepare: (device: Device) => Promise<void>;
  readonly reconcile: (device: Device, settings: Settings) => Promise<void>;
  /** Asks the hub as this device, which is not in use yet. Throws ServiceError where the hub does not answer or refuses. */
  readonly prove: (device: Device) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
}

/** Gets the device its identity and keeps its modules in line, one attempt at a time. */
export interface Provisioner {
  /** Starts the first attempt; never rejects, tries again for ever. */
  start(): void;
  state(): ProvisioningState;
  report(): Omit<ProvisioningReport, 'clockAheadSeconds'>;
  /** Another certificate of the same device, which somebody stored meanwhile, is used from now on. */
  adoptCredential(device: Device): void;
  /** The device, at once or after a wait; throws `device identity not found`, or the reason of the caller's signal. */
  deviceFor(use: DeviceUse, caller: { readonly signal: AbortSignal }): Promise<Device>;
  /** E9: joins or starts an attempt; throws what it failed with. */
  reprovision(): Promise<void>;
  /** After a change of the settings. */
  reconcileSoon(): void;
  close(): Promise<void>;
}

interface Job {
  readonly reason: Reason;
  readonly done: PromiseWithResolvers<void>;
}

const LONGEST_SLEEP_MS = 5 * 60_000;
const MEANWHILE = 'Using offline backup from last run.';

/** Makes a provisioner; nothing happens before `start`. */
export function createProvisioner(tools: ProvisioningTools): Provisioner {
  const { clock, log } = tools;
  const stop = new AbortController();
  const queue: Job[] = [];
  const listeners = new Set<() => void>();
  let state: ProvisioningState =
    tools.settings().provisioning.source === 'none' ? { phase: 'unused' } : { phase: 'first-attempt' };
  let running: Job | undefined;
  let poke = new AbortController();
  let work: Promise<void> = Promise.resolve();
  let announced = false;
  /** Whether the modules of the present device are known to be in line with the present settings. */
  let inLine = false;
  let renewAt: number | undefined;
  let since = clock.now();
  let retryAt: number | undefined;
  let lastError: ProvisioningReport['lastError'];
  /** What the service asked to wait for when the last attempt failed, milliseconds. */
  let askedPause: number | undefined;

  function move(event: ProvisioningEvent): void {
    const { phase } = state;
    state = nextState(state, event);
    if (state.phase !== phase) since = clock.now();
    for (const listener of [...listeners]) listener();
  }

  async function adopt(device: Device): Promise<void> {
    await tools.prepare(device);
    const isNew = deviceOf(state)?.deviceId !== device.deviceId || deviceOf(state)?.hubName !== device.hubName;
    move({ type: 'device-set', device });
    renewAt = tools.nextRenewal(device, tools.settings());
    if (isNew) log.info(`Updated device info for ${device.deviceId}.`);
  }

  async function reconcileNow(reason: Reason, settings: Settings): Promise<void> {
    const device = deviceOf(state);
    if (!device) return;
    inLine = false;
    log.info(`Identity reconciliation started. Reason: ${reason}`);
    await tools.reconcile(device, settings);
    inLine = true;
    log.info('Identity reconciliation complete.');
  }

  /** DPS has proven the devices that it names; one that the configuration names anew has to be known to its hub first. */
  async function proveChange(device: Device, { provisioning }: Settings): Promise<void> {
    const former = deviceOf(state);
    if (!former || provisioning.source !== 'manual') return;
    if (!samePlace(former, device) || !sameCredential(former, device)) await tools.prove(device);
  }

  /** Registers anew and reconciles once more; the former device stays until the new one is there. */
  async function startOver(reason: Reason, settings: Settings): Promise<void> {
    log.info(`Provisioning starting. Reason: ${reason}`);
    const device = await tools.newDevice(settings, stop.signal);
    await proveChange(device, settings);
    await adopt(device);
    log.info('Provisioning complete.');
    await reconcileNow(reason, settings);
  }

  /** Reconciles; where the hub no longer takes the device, provisions anew (7.4). Throws what is left over. */
  async function reconcileOrStartOver(reason: Reason, settings: Settings): Promise<void> {
    try {
      await reconcileNow(reason, settings);
    } catch (error) {
      if (!asksForReprovisioning(cloudFailureOf(error))) throw error;
      log.warn(`The hub refused this device, it is provisioned anew: ${causeChain(error).at(-1)}`);
      await startOver(reason, settings);
    }
  }

  async function renew(device: Device, settings: Settings): Promise<void> {
    try {
      await adopt(await tools.renewedDevice(device, settings, stop.signal));
    } catch (error) {
      renewAt = tools.nextRenewal(device, settings);
      log.warn(`The device certificate could not be renewed: ${causeChain(error).join(': ')}`);
    }
  }

  async function attempt(reason: Reason): Promise<void> {
    const settings = tools.settings();
    if (settings.provisioning.source === 'none') {
      if (reason === 'Api') move({ type: 'device-dropped' });
      return;
    }
    if (reason === 'Api') return startOver(reason, settings);
    const device = deviceOf(state);
    if (reason === 'Renewal' && device) await renew(device, settings);
    if (!deviceOf(state)) {
      log.info(`Provisioning starting. Reason: ${reason}`);
      const known = await tools.knownDevice(settings);
      await adopt(known ?? (await tools.newDevice(settings, stop.signal)));
      if (known && tools.isRenewalDue(known, settings)) await renew(known, settings);
      log.info('Provisioning complete.');
    }
    await reconcileOrStartOver(reason, settings);
  }

  function tell(error: unknown): void {
    const failure = cloudFailureOf(error);
    const text = causeChain(failure ?? error).join(': ');
    lastError = { message: text, at: clock.now() };
    askedPause = failure?.retryAfterMs;
    if (deviceOf(state) && inLine) log.warn(`Provisioning failed; the device in use stays as it is: ${text}`);
    else if (!deviceOf(state))
      log.error(`Failed to provision with IoT Hub, and no valid device backup was found: ${text}`);
    else if (meansOffline(failure)) {
      log.warn(`Network not available for Identity reconciliation. ${MEANWHILE} (${text})`);
    } else log.error(`Failed to bring the modules in line with the configuration; it is tried again: ${text}`);
  }

  function announce(): void {
    if (announced || (!deviceOf(state) && state.phase !== 'unused')) return;
    announced = true;
    log.info('Starting server...');
  }

  /** Runs one job to its end. Returns whether something is left to be tried again. */
  async function runJob(job: Job): Promise<'done' | 'again'> {
    move({ type: 'attempt-started' });
    try {
      await attempt(job.reason);
      lastError = undefined;
      askedPause = undefined;
      job.done.resolve();
      return 'done';
    } catch (error) {
      if (!stop.signal.aborted) tell(error);
      job.done.reject(error);
      return deviceOf(state) && inLine ? 'done' : 'again';
    } finally {
      running = undefined;
      move({ type: 'attempt-ended' });
      announce();
    }
  }

  function enqueue(reason: Reason): Job {
    const job: Job = { reason, done: Promise.withResolvers<void>() };
    // Nobody need be waiting for the outcome.
    job.done.promise.catch(() => undefined);
    if (stop.signal.aborted) {
      job.done.reject(stop.signal.reason);
      return job;
    }
    queue.push(job);
    poke.abort();
    return job;
  }

  /** Sleeps until something is asked for, a retry is due, or the certificate is to be renewed. */
  async function waitForWork(): Promise<void> {
    while (queue.length === 0 && !stop.signal.aborted) {
      const due = Math.min(retryAt ?? Number.POSITIVE_INFINITY, renewAt ?? Number.POSITIVE_INFINITY);
      if (due <= clock.now()) {
        enqueue(renewAt !== undefined && renewAt <= clock.now() ? 'Renewal' : 'Retry');
        return;
      }
      poke = new AbortController();
      const signal = AbortSignal.any([poke.signal, stop.signal]);
      // Wall clock and timers may part (suspend, a clock that is set): look again now and then.
      const sleep = Number.isFinite(due)
        ? clock.sleep(Math.min(due - clock.now(), LONGEST_SLEEP_MS), signal)
        : untilAborted(signal);
      await sleep.catch(() => undefined);
    }
  }

  /** The next job; `failures` attempts in a row have failed. Undefined when the service stops. */
  async function nextJob(failures: number): Promise<Job | undefined> {
    retryAt = failures > 0 ? clock.now() + pauseAfter(failures, tools.random(), askedPause) : undefined;
    await waitForWork();
    retryAt = undefined;
    running = stop.signal.aborted ? undefined : queue.shift();
    return running;
  }

  async function run(): Promise<void> {
    let failures = 0;
    for (let job = await nextJob(failures); job; job = await nextJob(failures)) {
      failures = (await runJob(job)) === 'done' ? 0 : failures + 1;
    }
  }

  /** The attempt that a call of E9 may share. */
  function shareable(): Job | undefined {
    if (!deviceOf(state)) return running ?? queue[0];
    return running?.reason === 'Api' ? running : queue.find(({ reason }) => reason === 'Api');
  }

  function waitForDevice(use: DeviceUse, signal: AbortSignal): Promise<Device> {
    return new Promise((resolve, reject) => {
      const finish = () => {
        listeners.delete(look);
        signal.removeEventListener('abort', hangUp);
      };
      const hangUp = () => {
        finish();
        reject(signal.reason);
      };
      const look = () => {
        const access = accessIn(state, use);
        const device = deviceOf(state);
        if (access === 'hold') return;
        finish();
        if (access === 'answer' && device) resolve(device);
        else reject(deviceNotFound());
      };
      if (signal.aborted) return hangUp();
      signal.addEventListener('abort', hangUp, { once: true });
      listeners.add(look);
      look();
    });
  }

  return {
    start() {
      enqueue('Startup');
      work = run();
    },
    state: () => state,
    report: () => ({
      ...{ state: state.phase, since, lastError },
      running: (running ?? queue[0])?.reason,
      nextAttempt: retryAt,
      nextRenewal: renewAt,
    }),
    adoptCredential(device) {
      const present = deviceOf(state);
      if (!present || !samePlace(present, device)) return;
      move({ type: 'device-set', device });
      renewAt = tools.nextRenewal(device, tools.settings());
      poke.abort();
    },
    // Most callers never wait, and a signal is made only when it is asked for.
    deviceFor(use, caller) {
      const device = deviceOf(state);
      if (device && accessIn(state, use) === 'answer') return Promise.resolve(device);
      return waitForDevice(use, caller.signal);
    },
    reprovision: () => (shareable() ?? enqueue('Api')).done.promise,
    reconcileSoon() {
      enqueue('ConfigurationFileUpdate');
    },
    async close() {
      stop.abort(new Error('the service stops'));
      poke.abort();
      for (const job of queue.splice(0)) job.done.reject(stop.signal.reason);
      await work;
    },
  };
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
