import Type from 'typebox';
import type { CertdClient } from '../clients/index.ts';
import {
  type Call,
  internalError,
  invalidParameter,
  plain,
  type Reply,
  type Route,
  type ServiceApi,
  ServiceError,
  withBody,
} from '../ipc/index.ts';
import type { DeviceAuth } from './device-auth.ts';
import type { DeviceSource } from './device-source.ts';
import { deviceIdentity } from './identity-shape.ts';
import { issueLocalIdentity } from './local-identity.ts';
import { moduleIdFault } from './module-id.ts';
import type { Modules, Told } from './modules.ts';
import { loadPayload } from './payload.ts';
import { identifyCaller, isAllowed, ownIdentity, type Right } from './principals.ts';
import type { Provisioner } from './provisioner.ts';
import { type ProvisioningReport, reportJson } from './provisioning-report.ts';
import type { LocalPurpose, Settings } from './settings.ts';

/** What the endpoints work with. */
export interface ApiTools {
  readonly settings: () => Settings;
  readonly provisioner: Provisioner;
  readonly source: DeviceSource;
  readonly deviceAuth: DeviceAuth;
  readonly modules: Modules;
  readonly certd: CertdClient;
  readonly report: () => ProvisioningReport;
  /** Unix milliseconds. */
  readonly now: () => number;
}

const VERSIONS = ['2020-09-01', '2021-12-01', '2022-08-01'];

const OWN_IDENTITY: Right = { type: 'own-identity' };
const DEVICE_REQUEST = Type.Object({ type: Type.String() });
const LOCAL_OPTIONS = Type.Object({
  type: Type.Literal('x509'),
  attributes: Type.Union([Type.Literal('client'), Type.Literal('server')]),
});
const CREATE_REQUEST = Type.Object({
  type: Type.String(),
  moduleId: Type.String(),
  localIdOpts: Type.Optional(Type.Union([LOCAL_OPTIONS, Type.Null()])),
});

const ok = (body: unknown): Reply => ({ status: 200, body });
const wrongType = (type: string) => invalidParameter('type', `invalid type: ${type}`);

/** The first `type` of the query. */
function queryType(call: Call<unknown>): string {
  const type = call.query.get('type');
  if (type === null) throw invalidParameter('type', 'missing parameter');
  return type;
}

function needAziot(type: string): void {
  if (type !== 'aziot') throw wrongType(type);
}

function checkModuleId(moduleId: string): string {
  const fault = moduleIdFault(moduleId);
  if (fault !== undefined) throw invalidParameter('module_id', fault);
  return moduleId;
}

/** The endpoints of identityd (spec/identity-service.md 4). */
export function createApi(tools: ApiTools): ServiceApi {
  const { settings, provisioner, source, deviceAuth, modules, certd, report, now } = tools;

  /** An answer that did not come from the hub just now says how old it is, in seconds (RFC 9111 5.1). */
  function told<T>({ value, keptSince }: Told<T>, body: (value: T) => unknown = (same) => same): Reply {
    if (keptSince === undefined) return ok(body(value));
    const age = Math.max(0, Math.floor((now() - keptSince) / 1000));
    return { status: 200, body: body(value), headers: { age: String(age) } };
  }

  function authorise(call: Call<unknown>, right: Right): void {
    if (!isAllowed(identifyCaller(call.uid, settings().principals), right)) throw new ServiceError('unauthorized');
  }
  const preference = () => (settings().preferModuleCache ? 'cache-first' : 'hub-first');
  const moduleParam = (call: Call<unknown>) => call.params[0] ?? '';

  async function getOwn(call: Call<undefined>): Promise<Reply> {
    authorise(call, OWN_IDENTITY);
    const own = ownIdentity(identifyCaller(call.uid, settings().principals));
    const device = await provisioner.deviceFor('modules', call);
    if (own.kind === 'device') return ok(deviceIdentity(device, await deviceAuth.now(device)));
    return told(await modules.get(device, checkModuleId(own.moduleId), preference()));
  }

  async function getDevice(call: Call<unknown>): Promise<Reply> {
    authorise(call, { type: 'device-identity' });
    for (;;) {
      const device = await provisioner.deviceFor('device', call);
      const auth = await deviceAuth.patiently(device, call);
      if (auth) return ok(deviceIdentity(device, auth));
    }
  }

  /** The documented members, which clients compare as a whole; with `status=true` one member more. */
  async function getProvisioning(call: Call<undefined>): Promise<Reply> {
    const known = await provisioningInfo();
    return ok(call.query.get('status') === 'true' ? { ...known, status: reportJson(report()) } : known);
  }

  async function provisioningInfo() {
    const { provisioning } = settings();
    if (provisioning.source === 'none') return { source: 'none' };
    if (provisioning.source === 'manual') return { source: 'manual', auth: provisioning.authentication.method };
    const { attestation, endpoint, scopeId: scope_id, payloadUri } = provisioning;
    const registration_id = await source.registrationId(attestation);
    const payload = (await loadPayload(payloadUri)) ?? null;
    return { source: 'dps', auth: attestation.method, endpoint, scope_id, registration_id, payload };
  }

  async function list(call: Call<undefined>): Promise<Reply> {
    authorise(call, { type: 'manage' });
    needAziot(queryType(call));
    const device = await provisioner.deviceFor('modules', call);
    return told(await modules.list(device, preference()), (identities) => ({ identities }));
  }

  async function localIdentity(moduleId: string, purpose: LocalPurpose): Promise<Reply> {
    return ok(await issueLocalIdentity(certd, settings(), moduleId, purpose));
  }

  function localPrincipal(moduleId: string) {
    return settings().principals.find(({ name, idTypes }) => name === moduleId && idTypes?.includes('local'));
  }

  async function create(call: Call<Type.Static<typeof CREATE_REQUEST>>): Promise<Reply> {
    authorise(call, { type: 'manage' });
    const { type, moduleId, localIdOpts } = call.body;
    if (type === 'local') {
      if (moduleId.trim() === '') throw invalidParameter('moduleId', 'module name cannot be empty');
      if (localPrincipal(moduleId)) {
        throw invalidParameter('moduleId', `local identity for ${moduleId} already exists`);
      }
      return localIdentity(moduleId, localIdOpts?.attributes ?? 'client');
    }
    needAziot(type);
    const device = await provisioner.deviceFor('modules', call);
    return ok(await modules.create(device, checkModuleId(moduleId)));
  }

  async function getModule(call: Call<undefined>): Promise<Reply> {
    const moduleId = moduleParam(call);
    authorise(call, { type: 'module-identity', moduleId });
    const type = queryType(call);
    if (type === 'local') {
      const principal = localPrincipal(moduleId);
      if (!principal) throw invalidParameter('moduleId', `local identity for ${moduleId} doesn't exist`);
      return localIdentity(moduleId, principal.localPurpose ?? 'client');
    }
    needAziot(type);
    const device = await provisioner.deviceFor('modules', call);
    return told(await modules.get(device, checkModuleId(moduleId), preference()));
  }

  async function updateModule(call: Call<undefined>): Promise<Reply> {
    authorise(call, { type: 'manage' });
    needAziot(queryType(call));
    const device = await provisioner.deviceFor('modules', call);
    return ok(await modules.update(device, checkModuleId(moduleParam(call))));
  }

  async function deleteModule(call: Call<undefined>): Promise<Reply> {
    authorise(call, { type: 'manage' });
    needAziot(queryType(call));
    const device = await provisioner.deviceFor('modules', call);
    await modules.remove(device, checkModuleId(moduleParam(call)));
    return { status: 204 };
  }

  async function reprovision(call: Call<undefined>): Promise<Reply> {
    authorise(call, { type: 'manage' });
    try {
      await provisioner.reprovision();
    } catch (error) {
      throw error instanceof ServiceError ? error : internalError(error);
    }
    return { status: 204 };
  }

  const routes: Route[] = [
    { path: /^\/identities\/identity$/, methods: { GET: plain(getOwn) } },
    { path: /^\/identities\/device$/, methods: { POST: withBody(DEVICE_REQUEST, getDevice) } },
    { path: /^\/identities\/provisioning$/, since: '2021-12-01', methods: { GET: plain(getProvisioning) } },
    { path: /^\/identities\/modules$/, methods: { GET: plain(list), POST: withBody(CREATE_REQUEST, create) } },
    {
      path: /^\/identities\/modules\/([^/]+)$/,
      methods: { GET: plain(getModule), PUT: plain(updateModule), DELETE: plain(deleteModule) },
    },
    { path: /^\/identities\/device\/reprovision$/, methods: { POST: plain(reprovision) } },
    { path: /^\/trust-bundle$/, methods: { GET: plain(async () => ok({ certificate: '' })) } },
  ];
  return { name: 'identityd', versions: VERSIONS, routes };
}
