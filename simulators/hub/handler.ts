import type { X509Certificate } from 'node:crypto';
import { AccessRefused, type AccessRules, authorise, type Principal, type Target } from './access.ts';
import { InvalidAuthentication } from './authentication.ts';
import { HubError } from './errors.ts';
import { moduleJson, readModuleBody } from './module-json.ts';
import { type HubResource, readHubPath } from './path.ts';
import { type IfMatch, readIfMatch } from './preconditions.ts';
import { type IdentityRegistry, type ModuleIdentity, moduleNotFound } from './registry.ts';
import { type MessageLog, readTelemetry } from './telemetry.ts';

/** A request as the hub's rules see it: no sockets, header names in lower case. */
export interface HubRequest {
  method: string;
  /** As received, without query. */
  path: string;
  query: URLSearchParams;
  headers: Readonly<Record<string, string>>;
  body: Buffer;
  /** The certificates of the TLS handshake, leaf first. */
  certificates: readonly X509Certificate[];
}

/** What the hub answers; `body` is written as JSON. */
export interface HubAnswer {
  status: number;
  headers: Record<string, string>;
  body?: unknown;
}

/** What the hub's answers rest on. */
export interface HubWorld {
  registry: IdentityRegistry;
  messages: MessageLog;
  hostNames: readonly string[];
  apiVersions: readonly string[];
  now: () => number;
}

const METHODS: Record<HubResource['kind'], readonly string[]> = {
  modules: ['GET'],
  module: ['GET', 'PUT', 'DELETE'],
  'device-events': ['POST'],
  'module-events': ['POST'],
};

/**
 * Answers one request (spec cloud.md 4, 10). Checked in this order: path, method, api-version, credential, then the
 * operation itself.
 *
 * @param proven told whom the caller proved to be, as soon as that is known.
 * @throws HubError for every refusal.
 */
export function handleHubRequest(
  request: HubRequest,
  world: HubWorld,
  proven: (principal: Principal) => void,
): HubAnswer {
  const resource = readHubPath(request.path);
  if (!resource) throw new HubError('notFound', 'no such resource');
  if (!METHODS[resource.kind].includes(request.method)) {
    throw new HubError('methodNotAllowed', `${request.method} is not allowed here`);
  }
  const version = request.query.get('api-version');
  if (version === null || !world.apiVersions.includes(version)) {
    throw new HubError(
      'argumentInvalid',
      version === null ? 'api-version is missing' : `api-version ${version} is unknown`,
    );
  }
  const rules: AccessRules = { registry: world.registry, hostNames: world.hostNames, now: world.now() };
  const caller = { authorization: request.headers['authorization'], certificates: request.certificates };
  proven(authorise(caller, actingAs(resource), rules));
  try {
    return operate(request, resource, world);
  } catch (error) {
    throw error instanceof InvalidAuthentication ? new HubError('argumentInvalid', error.message) : error;
  }
}

/** Modules are managed by their device; messages are sent as oneself. */
function actingAs(resource: HubResource): Target {
  const { deviceId } = resource;
  return resource.kind === 'module-events' ? { deviceId, moduleId: resource.moduleId } : { deviceId };
}

function operate(request: HubRequest, resource: HubResource, { registry, messages, now }: HubWorld): HubAnswer {
  const { deviceId } = resource;
  switch (resource.kind) {
    case 'modules':
      return { status: 200, headers: {}, body: registry.listModules(deviceId).map(moduleJson) };
    case 'device-events':
    case 'module-events': {
      const sender = resource.kind === 'module-events' ? { deviceId, moduleId: resource.moduleId } : { deviceId };
      messages.add(readTelemetry({ ...sender, headers: request.headers, body: request.body, enqueuedAt: now() }));
      return { status: 204, headers: {} };
    }
    case 'module':
      return operateOnModule(request, resource.deviceId, resource.moduleId, registry);
  }
}

function operateOnModule(
  request: HubRequest,
  deviceId: string,
  moduleId: string,
  registry: IdentityRegistry,
): HubAnswer {
  if (request.method === 'GET') {
    const module = registry.getModule(deviceId, moduleId);
    if (!module) throw moduleNotFound(deviceId, moduleId);
    return moduleAnswer(module);
  }
  const ifMatch = requireIfMatch(request.headers['if-match']);
  if (request.method === 'DELETE') {
    registry.removeModule(deviceId, moduleId, ifMatch);
    return { status: 204, headers: {} };
  }
  const input = readModuleBody(request.body.toString('utf8'), deviceId, moduleId);
  return moduleAnswer(
    ifMatch.kind === 'absent'
      ? registry.createModule(deviceId, moduleId, input)
      : registry.updateModule(deviceId, moduleId, ifMatch, input),
  );
}

function requireIfMatch(header: string | undefined): IfMatch {
  const ifMatch = readIfMatch(header);
  if (ifMatch.kind === 'malformed') throw new HubError('argumentInvalid', 'If-Match');
  return ifMatch;
}

function moduleAnswer(module: ModuleIdentity): HubAnswer {
  return { status: 200, headers: { ETag: `"${module.etag}"` }, body: moduleJson(module) };
}

/** Why a request was refused, for the journal. */
export function refusalReason(error: HubError): string {
  return error instanceof AccessRefused ? error.reason : error.message;
}
