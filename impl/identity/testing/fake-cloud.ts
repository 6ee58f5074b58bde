import { createHmac } from 'node:crypto';
import { HttpsError, type HttpsErrorKind, type HttpsResponse, type SendHttpsOptions } from '../../https/index.ts';

/** A module in the registry of the double. */
export interface RegisteredModule {
  readonly moduleId: string;
  deviceId: string;
  generationId: string;
  managedBy: string | null;
  authentication: unknown;
}

/** What a scripted answer is: a status with a body, or a failed exchange. */
export type Scripted =
  | { readonly status: number; readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> }
  | { readonly fails: HttpsErrorKind };

/** DPS and a hub in memory; tokens of the hub are verified with the device's key. */
export interface FakeCloud {
  readonly send: (options: SendHttpsOptions) => Promise<HttpsResponse>;
  readonly modules: Map<string, RegisteredModule>;
  /** `METHOD path` without the query, in order. */
  readonly lines: string[];
  readonly bodies: (string | undefined)[];
  /** What DPS assigns. */
  assignment: { hub: string; deviceId: string };
  /** Answers a request in place of the registry, as long as it returns something. */
  script: ((line: string) => Scripted | undefined) | undefined;
  /** Adds a module as somebody else would. */
  add(moduleId: string): RegisteredModule;
}

function response(status: number, body?: unknown, more: Readonly<Record<string, string>> = {}): HttpsResponse {
  const text = body === undefined ? '' : JSON.stringify(body);
  const headers = { ...(text === '' ? {} : { 'content-type': 'application/json' }), ...more };
  return { status, headers, body: Buffer.from(text), tls: { protocol: 'TLSv1.3' } };
}

const failure = (code: string) => ({ Message: `ErrorCode:${code};` });

/** Makes one; `deviceKey` verifies tokens, requests with a certificate pass. */
export function createFakeCloud(deviceKey: Buffer): FakeCloud {
  let generation = 637_000_000_000_000_000n;
  const modules = new Map<string, RegisteredModule>();

  function tokenIsGood(options: SendHttpsOptions, path: string): boolean {
    const token = options.headers.find(([name]) => name === 'authorization')?.[1];
    if (token === undefined) return options.credential !== undefined;
    const [, sr = '', sig = '', se = ''] = /sr=([^&]*)&sig=([^&]*)&se=([^&]*)/.exec(token) ?? [];
    const expected = createHmac('sha256', deviceKey).update(`${sr}\n${se}`).digest('base64');
    const device = /^\/devices\/([^/]+)/.exec(path)?.[1];
    return decodeURIComponent(sig) === expected && (!device || sr.endsWith(`/devices/${device.toLowerCase()}`));
  }

  function addModule(moduleId: string): RegisteredModule {
    generation += 1n;
    const deviceId = fake.assignment.deviceId;
    const made = { moduleId, deviceId, generationId: String(generation), managedBy: null, authentication: null };
    modules.set(moduleId, made);
    return made;
  }

  function put(moduleId: string, ifMatch: boolean, body: string): HttpsResponse {
    const known = modules.get(moduleId);
    if (!ifMatch)
      return known ? response(409, failure('ModuleAlreadyExistsOnDevice')) : response(200, addModule(moduleId));
    if (!known) return response(404, failure('ModuleNotFound'));
    known.authentication = (JSON.parse(body) as { authentication?: unknown }).authentication;
    known.managedBy = null;
    return response(200, known);
  }

  function hub(options: SendHttpsOptions, path: string): HttpsResponse {
    const [, device = '', moduleId] = /^\/devices\/([^/]+)\/modules(?:\/([^/]+))?$/.exec(path) ?? [];
    if (!tokenIsGood(options, path)) return response(401, failure('IotHubUnauthorizedAccess'));
    if (decodeURIComponent(device) !== fake.assignment.deviceId) return response(404, failure('DeviceNotFound'));
    if (moduleId === undefined) return response(200, [...modules.values()]);
    const id = decodeURIComponent(moduleId);
    const ifMatch = options.headers.some(([name, value]) => name === 'if-match' && value === '*');
    if (options.method === 'PUT') return put(id, ifMatch, String(options.body));
    const known = modules.get(id);
    if (!known) return response(404, failure('ModuleNotFound'));
    if (options.method === 'GET') return response(200, known);
    modules.delete(id);
    return response(204);
  }

  function dps(options: SendHttpsOptions, path: string): HttpsResponse {
    if (!tokenIsGood(options, path)) return response(401, { errorCode: 401002, message: 'Unauthorized' });
    if (path.endsWith('/register')) return response(202, { operationId: 'op', status: 'assigning' });
    const registrationState = { assignedHub: fake.assignment.hub, deviceId: fake.assignment.deviceId };
    return response(200, { operationId: 'op', status: 'assigned', registrationState });
  }

  const fake: FakeCloud = {
    modules,
    lines: [],
    bodies: [],
    assignment: { hub: 'hub1.iot.test', deviceId: 'Dev-01' },
    script: undefined,
    add: addModule,
    async send(options) {
      const { pathname } = new URL(options.url);
      const line = `${options.method} ${pathname}`;
      fake.lines.push(line);
      fake.bodies.push(options.body === undefined ? undefined : String(options.body));
      const scripted = fake.script?.(line);
      if (scripted && 'fails' in scripted) throw new HttpsError(scripted.fails, `exchange ${scripted.fails}`);
      if (scripted) return response(scripted.status, scripted.body, scripted.headers);
      return pathname.startsWith('/devices/') ? hub(options, pathname) : dps(options, pathname);
    },
  };
  return fake;
}
