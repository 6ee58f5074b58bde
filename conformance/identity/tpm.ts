import assert from 'node:assert/strict';
import { attachCloud, cutAll, startIdentityd } from '../cloud/index.ts';
import { type Context, expectStatus, group, type World } from '../runner/index.ts';
import { TpmWorld } from '../tpm/index.ts';
import { ask, HEAD, principal } from './world.ts';

const MODULE = 4001;
const REGISTRATION = 'Tpm-01';
const DEVICE = 'Tpm-Dev';
const SPEC = { gatewayHost: '', hubName: '', deviceId: DEVICE, auth: { type: 'tpm' } };

interface TpmDevice {
  readonly world: World;
  readonly tpm: TpmWorld;
  readonly link: Awaited<ReturnType<typeof attachCloud>>;
  readonly hub: string;
}

/** A device with a TPM that DPS knows: its services, tpmd with them, and identityd. */
async function provisioned(context: Context): Promise<TpmDevice> {
  const tpm = await TpmWorld.fresh(context);
  const { world } = tpm;
  const link = await attachCloud(world);
  const { endorsementKey } = await tpm.keys();
  const attestation = { type: 'tpm', endorsementKey: endorsementKey.toString('base64') };
  await link.cloud.enrol(REGISTRATION, { attestation, deviceId: DEVICE });
  await world.configure('keyd', { main: '[aziot_keys]\nhomedir_path = "@ROOT@/keyd/home"\n' });
  await world.configure('certd', { main: 'homedir_path = "@ROOT@/certd/home"\n' });
  const { dps, scopeId, hub } = link.cloud.facts;
  const provisioning = `[provisioning]\nsource = "dps"\nglobal_endpoint = "https://${dps.hostName}/"\nscope_id = "${scopeId}"\n`;
  const attested = `[provisioning.attestation]\nmethod = "tpm"\nregistration_id = "${REGISTRATION}"\n`;
  const modules = principal(MODULE, 'm1', ['module']);
  await world.configure('identityd', { main: `${HEAD}${provisioning}${attested}${modules}` });
  await world.start('keyd');
  await world.start('certd');
  await startIdentityd(world);
  return { world, tpm, link, hub: hub.hostName };
}

async function deviceOf({ world, hub }: TpmDevice): Promise<void> {
  const answer = expectStatus(await ask(world, 0, 'POST', '/identities/device', { type: 'aziot' }), 200);
  assert.deepEqual(answer, { type: 'aziot', spec: { ...SPEC, hubName: hub, gatewayHost: hub } });
}

/** A device whose key is in a TPM, with tpmd as it is. */
export const tpmDevice = group('identityd with tpmd', {
  'IS-093': [
    'a TPM device says so and nothing more, also while its tpmd is away',
    'reference-run',
    async (context) => {
      const device = await provisioned(context);
      const { world, tpm, link } = device;
      await deviceOf(device);
      const answer = expectStatus(await ask(world, 0, 'GET', '/identities/provisioning'), 200);
      const { dps, scopeId } = link.cloud.facts;
      assert.deepEqual(answer, {
        source: 'dps',
        auth: 'tpm',
        endpoint: `https://${dps.hostName}/`,
        scope_id: scopeId,
        registration_id: REGISTRATION,
        payload: null,
      });
      await tpm.nothingLoaded();
      await world.stop('tpmd');
      await deviceOf(device);
    },
  ],
  'IS-093/registration': [
    'DPS sees both keys, then a token that the TPM has signed; the hub key is imported',
    'reference-run',
    async (context) => {
      const device = await provisioned(context);
      await deviceOf(device);
      const seen = (await device.link.cloud.journal()).filter(({ method }) => method === 'PUT');
      const registrations = seen.filter(({ service }) => service === 'dps');
      assert.deepEqual(
        registrations.map(({ status }) => status),
        [401, 202],
      );
      const shown = JSON.parse(registrations[0]?.body ?? '{}').tpm as Record<string, string>;
      const keys = await device.tpm.keys();
      assert.equal(shown['endorsementKey'], keys.endorsementKey.toString('base64'));
      assert.equal(shown['storageRootKey'], keys.storageRootKey.toString('base64'));
      const imports = device.tpm.proxy.takeTrace().filter((command) => command === 'Import');
      assert.equal(imports.length, 2);
    },
  ],
  'IS-093/module': [
    'a module of it gets a SAS key handle; after a restart without a network the device is the same',
    'reference-run',
    async (context) => {
      const device = await provisioned(context);
      const { world, link } = device;
      await deviceOf(device);
      const { spec } = expectStatus(await ask(world, MODULE, 'GET', '/identities/identity'), 200) as {
        spec: { moduleId: string; auth: { type: string; keyHandle: string } };
      };
      assert.deepEqual([spec.moduleId, spec.auth.type], ['m1', 'sas']);
      assert.ok(spec.auth.keyHandle.length > 0);
      cutAll(link);
      await world.stop('identityd');
      await world.restart('tpmd');
      await startIdentityd(world);
      await deviceOf(device);
    },
  ],
});
