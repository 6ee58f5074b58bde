import { randomBytes, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type CloudListener, CloudProcess } from '../cloud/index.ts';
import { cloudFromEnv } from '../runner/index.ts';
import type { CertificatePair, CloudTarget, DeviceKeys, Endpoint } from './target.ts';

/** A simulated cloud that was started to be judged. */
export interface Simulated {
  readonly target: CloudTarget;
  readonly cloud: CloudProcess;
  stop(): Promise<void>;
}

const TPM_KEYS = new URL('../../fixtures/golden/tpm.json', import.meta.url);
type PublicKeys = Record<'endorsement_key' | 'storage_root_key', string>;
type TpmVectors = { software: PublicKeys & Record<'ekPrivate' | 'srkPrivate', string>; swtpm: PublicKeys };

/** Starts the cloud of the environment, and enrols there what the requirements ask for. */
export async function startSimulated(): Promise<Simulated> {
  const { program, args } = cloudFromEnv();
  // another cloud is started without arguments, and may take its time to assign or not
  const cloud = await CloudProcess.start({ program, args: args.length > 0 ? [...args, '--assigning-polls', '1'] : [] });
  try {
    return { target: await furnish(cloud), cloud, stop: () => cloud.stop() };
  } catch (error) {
    await cloud.stop();
    throw error;
  }
}

async function furnish(cloud: CloudProcess): Promise<CloudTarget> {
  const { rootPem, scopeId, dps, hub, gateway } = cloud.facts;
  const at = ({ hostName, port }: CloudListener): Endpoint => ({ hostName, address: `127.0.0.1:${port}`, rootPem });
  return {
    dps: {
      ...at(dps),
      scopeId,
      ...(await enrolKeys(cloud)),
      ...(await enrolCertificates(cloud)),
      ...(await enrolTpm(cloud)),
    },
    hub: { ...at(hub), ...(await putDevices(cloud)), gateway: at(gateway) },
  };
}

async function enrolKeys(cloud: CloudProcess) {
  const enrol = async (registrationId: string, more: object = {}) => {
    const keys = newKeys();
    await cloud.enrol(registrationId, { attestation: { type: 'symmetricKey', ...keys }, ...more });
    return { registrationId, ...keys };
  };
  const group = newKeys();
  await cloud.enrolGroup('key-group', { attestation: { type: 'symmetricKey', ...group } });
  await enrol('off-in-group', { enabled: false });
  return {
    symmetric: { ...(await enrol('Key-01', { deviceId: 'Device-of-Key-01' })), deviceId: 'Device-of-Key-01' },
    other: await enrol('key-02'),
    disabled: await enrol('key-off', { enabled: false }),
    group: { groupKey: group.primaryKey, registrationId: 'Group-Member-01' },
    disabledBeforeGroup: { registrationId: 'off-in-group' },
  };
}

async function enrolCertificates(cloud: CloudProcess) {
  const issue = async (subject: string, lifetimeSeconds?: number): Promise<CertificatePair> =>
    cloud.issue('devices', `CN=${subject}`, lifetimeSeconds);
  const { certificatePem } = await cloud.authority('devices');
  await cloud.enrol('cert-01', { attestation: { type: 'x509', primaryPem: certificatePem } });
  const leaf = await issue('leaf-01');
  // the certificate alone: with its authority, all of that authority would be enrolled
  const primaryPem = new X509Certificate(leaf.certPem).toString();
  await cloud.enrol('leaf-01', { attestation: { type: 'x509', primaryPem } });
  await cloud.enrolGroup('certificate-group', { attestation: { type: 'x509', caPem: [cloud.facts.rootPem] } });
  return {
    x509: { ...(await issue('cert-01')), registrationId: 'cert-01' },
    x509Expired: await issue('cert-01', 1),
    x509OtherName: await issue('cert-02'),
    x509Leaf: { ...leaf, registrationId: 'leaf-01', reissued: await issue('leaf-01') },
    x509Group: { ...(await issue('group-cert-01')), registrationId: 'group-cert-01' },
  };
}

async function enrolTpm(cloud: CloudProcess) {
  const { vectors } = JSON.parse(readFileSync(TPM_KEYS, 'utf8')) as { vectors: TpmVectors };
  const { endorsement_key: endorsementKey, storage_root_key: storageRootKey } = vectors.software;
  const { ekPrivate: endorsementPrivatePem, srkPrivate: storageRootPrivatePem } = vectors.software;
  const privates = { endorsementPrivatePem, storageRootPrivatePem };
  await cloud.enrol('tpm-01', { attestation: { type: 'tpm', endorsementKey } });
  const otherEndorsementKey = vectors.swtpm.endorsement_key;
  return { tpm: { registrationId: 'tpm-01', endorsementKey, storageRootKey, otherEndorsementKey, ...privates } };
}

async function putDevices(cloud: CloudProcess) {
  const put = async (deviceId: string, more: object = {}) => {
    const keys = newKeys();
    await cloud.putDevice(deviceId, { authentication: { type: 'sas', ...keys }, ...more });
    return { deviceId, ...keys };
  };
  const { certificatePem } = await cloud.authority('devices');
  await cloud.putDevice('cert-dev', { authentication: { type: 'certificateAuthority', caPem: [certificatePem] } });
  const issue = (subject: string): Promise<CertificatePair> => cloud.issue('devices', `CN=${subject}`);
  const leaf = await issue('leaf-dev');
  const { fingerprint256: primaryThumbprint } = new X509Certificate(leaf.certPem);
  await cloud.putDevice('leaf-dev', { authentication: { type: 'selfSigned', primaryThumbprint } });
  return {
    device: await put('Dev-1'),
    // a name that the other begins with: a scope has to end where a segment ends
    other: await put('Dev-10'),
    disabled: await put('dev-off', { status: 'disabled' }),
    edge: await put('edge-1', { edge: true }),
    crowded: await put('crowded'),
    x509: { ...(await issue('cert-dev')), deviceId: 'cert-dev' },
    x509OtherName: await issue('cert-dev-2'),
    thumbprint: { ...leaf, deviceId: 'leaf-dev', reissued: await issue('leaf-dev') },
  };
}

function newKeys(): Required<DeviceKeys> {
  return { primaryKey: randomBytes(32).toString('base64'), secondaryKey: randomBytes(64).toString('base64') };
}
