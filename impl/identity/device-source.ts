import type { KeyHandle } from '../clients/index.ts';
import {
  type CloudContext,
  type CloudCredential,
  CloudError,
  createHubClient,
  type HubClient,
  registerDevice,
} from '../cloud/index.ts';
import { internalError } from '../ipc/index.ts';
import { configuredRegistrationId, deviceSubject } from './common-name.ts';
import type { Device, DeviceCredential } from './device.ts';
import { type CredentialServices, commonNameOfChain, obtainDeviceCertificate } from './device-certificate.ts';
import { type DeviceRenewal, type IssuedCredential, sameLeaf, type X509Credential } from './device-renewal.ts';
import { dpsFailed, hubFailed } from './failures.ts';
import type { Memo } from './memo.ts';
import { loadPayload } from './payload.ts';
import type { Attestation, Authentication, AutoRenew, Provisioning, Settings } from './settings.ts';
import { provisioningDigest, type StateFiles } from './state-files.ts';
import type { TpmdClient } from './tpmd-client.ts';

type Dps = Extract<Provisioning, { source: 'dps' }>;
type Manual = Extract<Provisioning, { source: 'manual' }>;

/** Where devices come from: configuration, state files, DPS. */
export interface DeviceSource {
  knownDevice(settings: Settings): Promise<Device | undefined>;
  newDevice(settings: Settings, signal: AbortSignal): Promise<Device>;
  /** The device with a renewed certificate, or with one that somebody else stored meanwhile. Throws ServiceError. */
  renewedDevice(device: Device, settings: Settings, signal: AbortSignal): Promise<Device>;
  /**
   * The device with the certificate that certd has by now, where that is another one than the device has; undefined where it is not,
   * or cannot be told. Never throws.
   */
  refreshed(device: Device): Promise<Device | undefined>;
  /** Asks the hub for the modules of a device that is not in use yet. Throws ServiceError. */
  prove(device: Device): Promise<void>;
  /** A client of the device's hub, with its credential at hand. Throws CloudError. */
  hubFor(device: Device): Promise<HubClient>;
  /** The registration id that DPS is or would be given. Throws the 500 where the certificate must tell it and cannot. */
  registrationId(attestation: Attestation): Promise<string>;
}

/** What it works with. */
export interface DeviceSourceTools extends CredentialServices {
  readonly cloud: CloudContext;
  readonly tpmd: TpmdClient;
  readonly state: StateFiles;
  readonly renewal: DeviceRenewal;
  /** Keeps the handle of the device key for requests that follow each other closely. */
  readonly memo: Memo<KeyHandle>;
}

/** The renewal settings of an attestation that has them. */
export function autoRenewOf(attestation: Attestation): AutoRenew | undefined {
  return attestation.method === 'x509' ? attestation.autoRenew : undefined;
}

/** Makes the source. */
export function createDeviceSource(tools: DeviceSourceTools): DeviceSource {
  const { keyd, certd, tpmd, state, renewal, memo, log } = tools;

  async function cloudCredential(credential: DeviceCredential): Promise<CloudCredential> {
    if (credential.kind === 'tpm') return { kind: 'token', sign: tpmd.sign };
    if (credential.kind === 'sas') {
      const { keyId } = credential;
      const load = () => memo.get(`key ${keyId}`, () => keyd.loadKey(keyId));
      const sign = async (message: Uint8Array) => keyd.sign(await load(), { algorithm: 'HMAC-SHA256', message });
      return { kind: 'token', sign };
    }
    try {
      const keyHandle = await keyd.loadKeyPair(credential.keyPairId);
      return { kind: 'certificate', certificate: { keyHandle, certificateChainPem: credential.chain } };
    } catch (cause) {
      throw new CloudError('local', `could not load the device key "${credential.keyPairId}"`, { cause });
    }
  }

  async function manualCredential(authentication: Authentication, deviceId: string): Promise<DeviceCredential> {
    if (authentication.method === 'sas') return { kind: 'sas', keyId: authentication.keyId };
    const { certId, keyPairId, csrSubject } = authentication;
    const subject = deviceSubject(deviceId, typeof csrSubject === 'object' ? csrSubject : undefined);
    const chain = await obtainDeviceCertificate(tools, { certId, keyPairId, subject });
    return { kind: 'x509', certId, keyPairId, chain };
  }

  async function dpsCredential(attestation: Attestation): Promise<DeviceCredential> {
    if (attestation.method === 'tpm') return { kind: 'tpm' };
    if (attestation.method === 'symmetric_key') return { kind: 'sas', keyId: attestation.keyId };
    const { certId, keyPairId, registrationId, autoRenew } = attestation;
    if (autoRenew) await finishRenewal();
    const name = configuredRegistrationId(registrationId);
    const extras = typeof registrationId === 'object' ? registrationId : undefined;
    const subject = name === undefined ? undefined : deviceSubject(name, extras);
    const chain = await obtainDeviceCertificate(tools, { certId, keyPairId, subject });
    return { kind: 'x509', certId, keyPairId, chain };
  }

  async function manualDevice(manual: Manual): Promise<Device> {
    const { hubName, deviceId, gateway, authentication } = manual;
    const credential = await manualCredential(authentication, deviceId);
    return { hubName, gatewayHost: gateway ?? hubName, deviceId, credential, enrolment: provisioningDigest(manual) };
  }

  function registrationIdFor(attestation: Attestation, credential: DeviceCredential): string {
    const configured = configuredRegistrationId(attestation.registrationId);
    if (configured !== undefined) return configured;
    return commonNameOfChain(credential.kind === 'x509' ? credential.chain : '');
  }

  async function finishRenewal(): Promise<void> {
    try {
      await renewal.finishPending();
    } catch (error) {
      throw internalError(error);
    }
  }

  /** A new credential where the stored one is due; a failure matters only when the stored one has expired. */
  async function issueIfDue(
    credential: DeviceCredential,
    attestation: Attestation,
  ): Promise<IssuedCredential | undefined> {
    const autoRenew = autoRenewOf(attestation);
    if (credential.kind !== 'x509' || !autoRenew || !renewal.isDue(credential, autoRenew)) return undefined;
    try {
      return await renewal.issue(credential, autoRenew);
    } catch (error) {
      if (renewal.isExpired(credential)) throw error;
      return undefined;
    }
  }

  async function registerStored(dps: Dps, signal: AbortSignal): Promise<Device> {
    const credential = await dpsCredential(dps.attestation);
    const issued = await issueIfDue(credential, dps.attestation);
    return issued ? registerIssued(dps, issued, signal) : register(dps, credential, signal);
  }

  /** Registers with a new credential, which becomes the device's once DPS has taken it. */
  async function registerIssued(dps: Dps, issued: IssuedCredential, signal: AbortSignal): Promise<Device> {
    const device = await register(dps, issued.credential, signal);
    return { ...device, credential: await issued.commit() };
  }

  async function renewX509(
    device: Device,
    used: X509Credential,
    dps: Dps,
    autoRenew: AutoRenew,
    signal: AbortSignal,
  ): Promise<Device> {
    const stored = await dpsCredential(dps.attestation);
    if (stored.kind !== 'x509') return device;
    if (!sameLeaf(stored.chain, used.chain)) {
      log.warn(`Certificate ${stored.certId} has been replaced by somebody else; it is used from now on.`);
      return { ...device, credential: stored };
    }
    // A renewal whose last steps failed has just been finished.
    if (stored.keyPairId !== used.keyPairId) return { ...device, credential: stored };
    return registerIssued(dps, await renewal.issue(stored, autoRenew), signal);
  }

  async function register(dps: Dps, credential: DeviceCredential, signal: AbortSignal): Promise<Device> {
    const payload = await loadPayload(dps.payloadUri);
    try {
      const { hubName, deviceId } = await registerDevice(tools.cloud, {
        endpoint: new URL(dps.endpoint),
        scopeId: dps.scopeId,
        registrationId: registrationIdFor(dps.attestation, credential),
        credential: await cloudCredential(credential),
        tpm: credential.kind === 'tpm' ? tpmd : undefined,
        payload: payload === undefined ? undefined : JSON.stringify(payload),
        signal,
      });
      return { hubName, gatewayHost: hubName, deviceId, credential, enrolment: provisioningDigest(dps) };
    } catch (error) {
      throw dpsFailed(error);
    }
  }

  const hubFor = async (device: Device): Promise<HubClient> =>
    createHubClient(tools.cloud, { ...device, credential: await cloudCredential(device.credential) });

  async function storedInstead(used: X509Credential): Promise<X509Credential | undefined> {
    const chain = await certd.get(used.certId);
    if (sameLeaf(chain, used.chain)) return undefined;
    await keyd.loadKeyPair(used.keyPairId);
    return { ...used, chain };
  }

  return {
    async refreshed(device) {
      if (device.credential.kind !== 'x509') return undefined;
      try {
        const credential = await storedInstead(device.credential);
        if (!credential) return undefined;
        log.warn(`Certificate ${credential.certId} has been replaced by somebody else; it is used from now on.`);
        return { ...device, credential };
      } catch {
        // What made the caller doubt the credential is reported; that there is no other one is no news.
        return undefined;
      }
    },
    async prove(device) {
      try {
        await (await hubFor(device)).list();
      } catch (error) {
        throw hubFailed(error);
      }
    },
    async knownDevice({ provisioning }) {
      if (provisioning.source === 'manual') return manualDevice(provisioning);
      if (provisioning.source === 'none') return undefined;
      const place = await state.readBackup(provisioning);
      if (!place) return undefined;
      const credential = await dpsCredential(provisioning.attestation);
      return { ...place, credential, enrolment: provisioningDigest(provisioning) };
    },
    async newDevice({ provisioning }, signal) {
      if (provisioning.source === 'manual') return manualDevice(provisioning);
      if (provisioning.source === 'dps') return registerStored(provisioning, signal);
      throw internalError(new Error('source "none" has no device'));
    },
    async renewedDevice(device, { provisioning }, signal) {
      if (provisioning.source !== 'dps' || device.credential.kind !== 'x509') return device;
      const autoRenew = autoRenewOf(provisioning.attestation);
      return autoRenew ? renewX509(device, device.credential, provisioning, autoRenew, signal) : device;
    },
    hubFor,
    async registrationId(attestation) {
      const configured = configuredRegistrationId(attestation.registrationId);
      if (configured !== undefined) return configured;
      try {
        return commonNameOfChain(await certd.get(attestation.method === 'x509' ? attestation.certId : ''));
      } catch (error) {
        throw internalError(error);
      }
    },
  };
}
