import { expectDpsError, sasToken } from '../azure/index.ts';
import { dpsGroups, keyed, poll } from '../dps/index.ts';
import { hubGroups } from '../hub/index.ts';
import { type Context, group } from '../runner/index.ts';

const SERVICE_CASES = new Map(
  [...dpsGroups, ...hubGroups].flatMap(({ requirements }) => requirements.map((one) => [one.id, one] as const)),
);

/** Judges the cases of DPS and hub that together are one item of cloud.md's checklist. */
async function together(context: Context, ...ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const one = SERVICE_CASES.get(id);
    if (!one) throw new Error(`there is no case ${id}`);
    await one.run(context);
  }
}

/** Items that are about the services alone, and not about who calls them. */
export const simulators = group('DPS and hub of the simulated cloud', {
  'CL-055': [
    'DPS refuses a changed signature, an expired token, one of another id, one that lacks a field',
    'spec',
    (context) => together(context, 'DPS-020', 'DPS-021', 'DPS-022', 'DPS-024', 'DPS-028'),
  ],
  'CL-055/skn': [
    'DPS refuses a token without skn',
    'spec',
    async (context) => {
      const { dps, device, id } = await keyed(context);
      const resource = `${dps.scopeId}/registrations/${id}`.toLowerCase();
      const token = sasToken({ resource, key: device.primaryKey });
      expectDpsError(await poll(dps, id, 'none', { token }), 401);
    },
  ],
  'CL-056': [
    'DPS refuses a certificate of another authority, one that has expired, one with another common name',
    'spec',
    (context) => together(context, 'DPS-051', 'DPS-052', 'DPS-053', 'DPS-090'),
  ],
  'CL-057': ['DPS shows an operation to its own device alone', 'spec', (context) => together(context, 'DPS-030')],
  'CL-058': [
    "a hub refuses a device on another's path, and a module on the path of management",
    'spec',
    (context) => together(context, 'HUB-043', 'HUB-046', 'HUB-056'),
  ],
  'CL-059': [
    'a module is made once: 409 the second time; made anew it has another generationId',
    'spec',
    (context) => together(context, 'HUB-007', 'HUB-010'),
  ],
  'CL-061': [
    'a stale etag is 412, an update of a module that is not there 404',
    'spec',
    (context) => together(context, 'HUB-021', 'HUB-024'),
  ],
  'CL-062/shapes': [
    'errors of DPS and hub have the documented shapes',
    'spec',
    (context) => together(context, 'DPS-070', 'HUB-070'),
  ],
});
