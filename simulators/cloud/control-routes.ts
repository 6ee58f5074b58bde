import type { FaultRule, JournalEntry } from '../common/index.ts';
import type { GroupInput, IndividualInput } from '../dps/index.ts';
import type { DeviceInput, ModuleInput } from '../hub/index.ts';
import type { CloudParts } from './cloud-parts.ts';

/** A call of the control API: the decoded segments of its path, and its JSON body (an empty object without one). */
export interface ControlCall {
  readonly method: string;
  readonly segments: readonly string[];
  readonly body: Record<string, unknown>;
}

/** The JSON that a call is answered with; undefined where there is nothing of that name (404). */
type Answer = object | undefined;
type Handler = (parts: CloudParts, ids: readonly string[], body: Record<string, unknown>) => Answer | Promise<Answer>;

const DONE = {};

function seen(entry: JournalEntry): object {
  const { body, ...rest } = entry;
  return { ...rest, body: body.toString('utf8') };
}

function script({ dps, hub }: CloudParts, service: string | undefined) {
  if (service === 'dps') return dps.faults;
  if (service === 'hub') return hub.faults;
  if (service === 'gateway') return hub.gateway?.faults;
  return undefined;
}

/** `METHOD /path`, `:` for an id. Bodies have the shapes of the simulators' own inputs. */
const ROUTES: Readonly<Record<string, Handler>> = {
  'PUT /dps/enrollments/:': ({ dps }, [registrationId = ''], body) => {
    dps.enrollments.remove(registrationId);
    return dps.enrollments.addIndividual({ ...body, registrationId } as IndividualInput);
  },
  'PUT /dps/groups/:': ({ dps }, [groupId = ''], body) => {
    dps.enrollments.remove(groupId);
    return dps.enrollments.addGroup({ ...body, groupId } as GroupInput);
  },
  'DELETE /dps/enrollments/:': ({ dps }, [id = '']) => (dps.enrollments.remove(id) ? DONE : undefined),
  'GET /dps/registrations': ({ dps }) => dps.registrations.list(),
  'PUT /hub/devices/:': ({ hub }, [deviceId = ''], body) =>
    hub.registry.upsertDevice({ ...body, deviceId } as DeviceInput),
  'GET /hub/devices/:': ({ hub }, [deviceId = '']) => {
    const device = hub.registry.getDevice(deviceId);
    return device && { device, modules: hub.registry.listModules(deviceId) };
  },
  'DELETE /hub/devices/:': ({ hub }, [deviceId = '']) => (hub.registry.removeDevice(deviceId) ? DONE : undefined),
  'PUT /hub/devices/:/modules/:': ({ hub }, [deviceId = '', moduleId = ''], body) =>
    hub.registry.getModule(deviceId, moduleId)
      ? hub.registry.updateModule(deviceId, moduleId, { kind: 'any' }, body as ModuleInput)
      : hub.registry.createModule(deviceId, moduleId, body as ModuleInput),
  'DELETE /hub/devices/:/modules/:': ({ hub }, [deviceId = '', moduleId = '']) => {
    if (!hub.registry.getModule(deviceId, moduleId)) return undefined;
    hub.registry.removeModule(deviceId, moduleId, { kind: 'any' });
    return DONE;
  },
  'POST /faults/:': (parts, [service], body) => {
    const faults = script(parts, service);
    faults?.add(body as unknown as FaultRule);
    return faults && DONE;
  },
  'DELETE /faults': ({ dps, hub }) => {
    for (const faults of [dps.faults, hub.faults, hub.gateway?.faults]) faults?.clear();
    return DONE;
  },
  'GET /journal': ({ dps, hub }) =>
    [...dps.journal.list(), ...hub.journal.list()].sort((a, b) => a.time - b.time).map(seen),
  'DELETE /journal': ({ dps, hub }) => {
    dps.journal.clear();
    hub.journal.clear();
    return DONE;
  },
  'GET /authorities/:': async ({ pki }, [name = '']) => {
    const { certificatePem, chainPem, keyPem } = await pki.ca(name);
    return { certificatePem, chainPem, keyPem };
  },
  'POST /authorities/:': async ({ pki }, [caName = ''], { subject, lifetimeSeconds }) =>
    pki.issueClientCertificate(String(subject), {
      caName,
      ...(typeof lifetimeSeconds === 'number' ? { lifetimeSeconds } : {}),
    }),
};

/** Runs a call; undefined when no route or no item has that name. Throws what the simulators say of a bad input. */
export async function control(parts: CloudParts, { method, segments, body }: ControlCall): Promise<Answer> {
  for (const [route, handler] of Object.entries(ROUTES)) {
    const [ofMethod, path = ''] = route.split(' ');
    const wanted = path.slice(1).split('/');
    if (ofMethod !== method || wanted.length !== segments.length) continue;
    if (!wanted.every((part, at) => part === ':' || part === segments[at])) continue;
    return handler(
      parts,
      segments.filter((_, at) => wanted[at] === ':'),
      body,
    );
  }
  return undefined;
}
