import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { HttpsResponse } from '../https/index.ts';
import { CloudError, failureOfStatus } from './cloud-error.ts';
import type { CloudContext } from './context.ts';
import type { CloudCredential } from './credential.ts';
import {
  errorOfAnswer,
  type Operation,
  type OperationAnswer,
  parseJson,
  runOperation,
  segment,
  statusText,
} from './operation.ts';

const API_VERSION = '2017-11-08-preview';
const RETRY_STATUSES = [502, 503, 504];
const ERROR_MEMBERS = ['Message', 'errorMessage', 'message'];

const Text = Type.Optional(Type.Union([Type.String(), Type.Null()]));
const MODULE = Type.Object({ moduleId: Type.String(), deviceId: Type.String(), managedBy: Text, generationId: Text });
const moduleShape = Compile(MODULE);
const listShape = Compile(Type.Array(MODULE));

/** A module as the hub has it; its authentication is not read (spec/cloud.md 4, stricter). */
export interface HubModule {
  readonly moduleId: string;
  readonly deviceId: string;
  readonly managedBy: string | undefined;
  readonly generationId: string | undefined;
}

/** Both keys of a module, base64. */
export interface ModuleKeys {
  readonly primary: string;
  readonly secondary: string;
}

/** Where and as whom the hub is asked. */
export interface HubDevice {
  /** The real name of the hub, which the tokens are for. */
  readonly hubName: string;
  /** Host that is connected to: the hub, or a parent in a nested set-up. */
  readonly gatewayHost: string;
  readonly deviceId: string;
  readonly credential: CloudCredential;
}

/** The module registry of one device (spec/cloud.md 4). Every call throws {@link CloudError}. */
export interface HubClient {
  list(): Promise<HubModule[]>;
  get(moduleId: string): Promise<HubModule>;
  /** Makes a module with keys of the hub's own; `conflict` where it exists, `afterUnanswered` where it may be this call that made it. */
  create(moduleId: string): Promise<HubModule>;
  /** Sets the keys of an existing module. */
  update(moduleId: string, keys: ModuleKeys): Promise<HubModule>;
  delete(moduleId: string): Promise<void>;
}

function toModule(record: Static<typeof MODULE>): HubModule {
  return {
    moduleId: record.moduleId,
    deviceId: record.deviceId,
    managedBy: record.managedBy ?? undefined,
    generationId: record.generationId ?? undefined,
  };
}

/** Some operations of the hub take an id in any case and answer with its own spelling. */
const isSameId = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase();

function expectDevice(device: HubDevice, { deviceId }: HubModule): void {
  if (!isSameId(deviceId, device.deviceId))
    throw new CloudError('invalid-data', 'the answer of the hub is about another device');
}

/** The module that was asked for: believed otherwise, a caller would be given the key of another one. */
function readModule(answer: HttpsResponse, device: HubDevice, moduleId: string): HubModule {
  const value = parseJson(answer);
  if (!moduleShape.Check(value)) throw new CloudError('invalid-data', 'the answer of the hub is not a module');
  const module = toModule(value);
  expectDevice(device, module);
  if (!isSameId(module.moduleId, moduleId))
    throw new CloudError('invalid-data', 'the answer of the hub is about another module');
  return module;
}

function readList(answer: HttpsResponse, device: HubDevice): HubModule[] {
  const value = parseJson(answer);
  if (!listShape.Check(value)) throw new CloudError('invalid-data', 'the answer of the hub is not a list of modules');
  const modules = value.map(toModule);
  for (const module of modules) expectDevice(device, module);
  return modules;
}

/** The hub's own word, which a 404 of something in between does not have. */
const isModuleGone = ({ body }: HttpsResponse): boolean => body.includes('ModuleNotFound');

/** Makes a client for the modules of one device. */
export function createHubClient(context: CloudContext, device: HubDevice): HubClient {
  const scope = { resource: `${device.hubName}/devices/${device.deviceId}`, keyName: undefined };

  function send(
    method: Operation['method'],
    moduleId: string | undefined,
    more: Pick<Operation, 'body' | 'ifMatch'>,
  ): Promise<OperationAnswer> {
    const tail = moduleId === undefined ? '' : `/${segment(moduleId)}`;
    return runOperation(context, {
      method,
      host: device.gatewayHost,
      target: `/devices/${segment(device.deviceId)}/modules${tail}?api-version=${API_VERSION}`,
      credential: device.credential,
      scope,
      expected: [200],
      retryStatuses: RETRY_STATUSES,
      ...more,
    });
  }

  async function ask(method: 'GET' | 'PUT', moduleId: string | undefined, more: Pick<Operation, 'body' | 'ifMatch'>) {
    const answer = await send(method, moduleId, more);
    if (answer.status !== 200) throw errorOfAnswer(answer, [200], ERROR_MEMBERS);
    return answer;
  }

  return {
    list: async () => readList(await ask('GET', undefined, {}), device),
    get: async (moduleId) => readModule(await ask('GET', moduleId, {}), device, moduleId),
    async create(moduleId) {
      const body = JSON.stringify({ moduleId, deviceId: device.deviceId });
      return readModule(await ask('PUT', moduleId, { body }), device, moduleId);
    },
    async update(moduleId, keys) {
      const symmetricKey = { primaryKey: keys.primary, secondaryKey: keys.secondary };
      const body = { moduleId, deviceId: device.deviceId, authentication: { symmetricKey, type: 'sas' } };
      const answer = await ask('PUT', moduleId, { body: JSON.stringify(body), ifMatch: '*' });
      return readModule(answer, device, moduleId);
    },
    async delete(moduleId) {
      const answer = await send('DELETE', moduleId, { ifMatch: '*' });
      const { status } = answer;
      // An attempt whose answer was lost may have been the one that removed it.
      if (status === 204 || (status === 404 && answer.afterUnanswered && isModuleGone(answer))) return;
      const failure = status < 400 ? 'invalid-data' : failureOfStatus(status);
      throw new CloudError(failure, `unexpected HTTP status code: ${statusText(status)}`, answer);
    },
  };
}
