import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Compile } from 'typebox/compile';
import type { CloudContext } from '../../cloud/index.ts';
import { type Reply, ServiceError, toUid } from '../../ipc/index.ts';
import { createLogger } from '../../process/index.ts';
import { assemble } from '../assembly.ts';
import type { Settings } from '../settings.ts';
import { createFakeCertd, type FakeCertd } from './fake-certd.ts';
import { createFakeCloud, type FakeCloud } from './fake-cloud.ts';
import { createFakeKeyd, type FakeKeyd } from './fake-keyd.ts';

/** A device key and a master key as the recorded runs have them. */
const DEVICE_KEY = Buffer.alloc(32, 4);

/** What a call got. */
export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes
  readonly body: any;
  /** Present where the handler added some. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** identityd without its socket, among doubles, on a clock that moves by itself. */
export interface World {
  readonly homedir: string;
  settings: Settings;
  readonly keyd: FakeKeyd;
  readonly certd: FakeCertd;
  readonly cloud: FakeCloud;
  readonly logged: string[];
  /** Builds the daemon on the present state of the home directory and starts provisioning. */
  start(): Promise<Running>;
  read(name: string): Promise<string | undefined>;
  write(name: string, text: string): Promise<void>;
  close(): Promise<void>;
}

/** A started daemon. */
export interface Running {
  /** Calls an endpoint as a uid; `target` without api-version. */
  call(uid: number, method: 'GET' | 'POST' | 'PUT' | 'DELETE', target: string, body?: unknown): Promise<Answer>;
  /** The same, given up when the signal says so. */
  callUntil(
    signal: AbortSignal,
    uid: number,
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    target: string,
    body?: unknown,
  ): Promise<Answer>;
  /** Resolves when the log has this text for the nth time since the start. */
  logs(text: string, times?: number): Promise<void>;
  reconcileSoon(): void;
  stop(): Promise<void>;
}

const NO_TPM = () => Promise.reject(new Error('tpmd is away'));

/** Settings of a manual device with a symmetric key; `over` replaces parts. */
function manualSettings(homedir: string, over: Partial<Settings> = {}): Settings {
  return {
    hostname: 'gateway-host',
    homedir,
    preferModuleCache: false,
    maxRequests: 10,
    cloudTimeoutSec: 70,
    cloudRetries: 0,
    provisioning: {
      source: 'manual',
      gateway: undefined,
      hubName: 'hub1.iot.test',
      deviceId: 'Dev-01',
      authentication: { method: 'sas', keyId: 'device-id' },
    },
    principals: [],
    localIdDomain: 'example.org',
    ...over,
  };
}

/** The same device by DPS with a symmetric key. */
export const DPS: Settings['provisioning'] = {
  source: 'dps',
  gateway: undefined,
  endpoint: 'https://dps.iot.test/',
  scopeId: '0ne00Test01',
  payloadUri: undefined,
  attestation: { method: 'symmetric_key', registrationId: 'Reg-01', keyId: 'device-id' },
};

/** Makes a world in a temp folder. */
export async function createWorld(over: Partial<Settings> = {}): Promise<World> {
  const homedir = await mkdtemp(join(tmpdir(), 'aziot-identityd-'));
  let now = 1_767_225_600_000;
  const logged: string[] = [];
  const listeners = new Set<() => void>();
  const write = (line: string) => {
    logged.push(line.trimEnd());
    for (const listener of [...listeners]) listener();
  };
  const log = createLogger({ target: 'identityd', filter: 'info', write, now: () => now });
  // Time jumps where the daemon sleeps, but only after everything else had its turn.
  const clock = {
    now: () => now,
    sleep: (milliseconds: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => {
          now += milliseconds;
          resolve();
        }, 5);
        signal?.addEventListener('abort', () => {
          clearTimeout(timer);
          reject(signal.reason);
        });
        if (signal?.aborted) {
          clearTimeout(timer);
          reject(signal.reason);
        }
      }),
  };
  const keyd = createFakeKeyd({ 'device-id': DEVICE_KEY, aziot_identityd_master_id: Buffer.alloc(32, 1) });
  const certd = createFakeCertd(() => now);
  const cloud = createFakeCloud(DEVICE_KEY);
  const stops: (() => Promise<void>)[] = [];

  const world: World = {
    homedir,
    settings: manualSettings(homedir, over),
    keyd,
    certd,
    cloud,
    logged,
    async start() {
      const since = logged.length;
      const context: CloudContext = {
        send: cloud.send,
        trust: async () => ({ anchors: [], source: 'test' }),
        proxy: undefined,
        clock,
        log,
        random: () => 0,
        timeoutMs: 70_000,
        retries: world.settings.cloudRetries,
        keydSocketPath: '/nowhere/keyd.sock',
      };
      const tpmd = { keys: NO_TPM, importKey: NO_TPM, sign: NO_TPM, close: async () => undefined };
      const { api, provisioner, close } = await assemble({
        settings: () => world.settings,
        ...{ keyd, certd, tpmd, clock, log, cloud: context },
        random: () => 0,
      });
      provisioner.start();
      stops.push(close);

      async function dispatch(
        signal: AbortSignal,
        uid: number,
        method: 'GET' | 'POST' | 'PUT' | 'DELETE',
        target: string,
        body?: unknown,
      ): Promise<Reply> {
        const url = new URL(target, 'http://identityd.sock');
        const path = target.split('?')[0] ?? '';
        for (const route of api.routes) {
          const match = route.path.exec(path);
          const found = match && route.methods[method];
          if (!match || !found) continue;
          if (found.schema && !Compile(found.schema).Check(body))
            throw new ServiceError('body-invalid', { parameters: { text: 'shape' } });
          const params = match.slice(1).map((text) => decodeURIComponent(text ?? ''));
          return found.handle({
            uid: toUid(uid),
            params,
            query: url.searchParams,
            version: '2022-08-01',
            body,
            signal,
          });
        }
        throw new ServiceError('not-found');
      }

      async function callUntil(
        signal: AbortSignal,
        uid: number,
        method: 'GET' | 'POST' | 'PUT' | 'DELETE',
        target: string,
        body?: unknown,
      ): Promise<Answer> {
        try {
          const reply = await dispatch(signal, uid, method, target, body);
          const told = 'body' in reply ? JSON.parse(JSON.stringify(reply.body)) : undefined;
          const headers = 'body' in reply ? reply.headers : undefined;
          return { status: reply.status, body: told, ...(headers ? { headers } : {}) };
        } catch (error) {
          if (error instanceof ServiceError) return { status: error.status, body: { message: error.message } };
          throw error;
        }
      }

      return {
        callUntil,
        call: (uid, method, target, body) => callUntil(new AbortController().signal, uid, method, target, body),
        logs: (text, times = 1) =>
          new Promise((resolve) => {
            const look = () => {
              if (logged.slice(since).filter((line) => line.includes(text)).length < times) return;
              listeners.delete(look);
              resolve();
            };
            listeners.add(look);
            look();
          }),
        reconcileSoon: () => provisioner.reconcileSoon(),
        stop: close,
      };
    },
    read: (name) => readFile(join(homedir, name), 'utf8').catch(() => undefined),
    write: (name, text) => writeFile(join(homedir, name), text),
    async close() {
      await Promise.all(stops.map((stop) => stop()));
      await rm(homedir, { recursive: true, force: true });
    },
  };
  return world;
}
