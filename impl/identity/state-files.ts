import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { removeFileDurable, writeFileDurable } from '../files/index.ts';
import { causeChain, type Logger } from '../process/index.ts';
import { type Device, type DevicePlace, samePlace } from './device.ts';
import { commonNameOf, moduleNames, type Provisioning, type Settings } from './settings.ts';
import { checkNames } from './settings-check.ts';
import { readPrincipal } from './settings-read.ts';
import { PRINCIPAL } from './settings-schema.ts';
import { settingsText, tomlString } from './settings-text.ts';

const deviceInfoShape = Compile(
  Type.Object({ hub_name: Type.String(), local_gateway_hostname: Type.String(), device_id: Type.String() }),
);
const prevStateShape = Compile(Type.Object({ principal: Type.Optional(Type.Array(PRINCIPAL)) }));
const progressShape = Compile(
  Type.Object({
    hubName: Type.String(),
    gatewayHost: Type.String(),
    deviceId: Type.String(),
    modules: Type.Array(Type.String()),
  }),
);

/** No secret is in these files, and support tools of other users read them, as with the reference. */
const MODE = 0o644;

/** The files below `homedir` that survive a restart (spec/identity-service.md 7.1). */
export interface StateFiles {
  /** The last device, if there is one and it was provisioned by the same enrolment. */
  readBackup(provisioning: Provisioning): Promise<DevicePlace | undefined>;
  /** Names of the modules of this device that identityd made, from the last completed or interrupted reconciliation. */
  readManaged(place: DevicePlace): Promise<string[]>;
  /** Notes how far a reconciliation has come, so that the next one does not make these modules anew. */
  writeProgress(place: DevicePlace, managed: readonly string[]): Promise<void>;
  /** Records a completed reconciliation. */
  writeDone(device: Device, settings: Settings): Promise<void>;
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Hex SHA-256 over what makes an enrolment: when it changes, the stored device is no longer the answer. */
export function provisioningDigest(provisioning: Provisioning): string {
  const parts: (string | undefined)[] = [provisioning.source];
  if (provisioning.source === 'manual') parts.push(provisioning.hubName, provisioning.deviceId);
  if (provisioning.source === 'dps') {
    const { attestation, endpoint, scopeId } = provisioning;
    const id = attestation.registrationId;
    parts.push(new URL(endpoint).host, scopeId, attestation.method, typeof id === 'object' ? commonNameOf(id) : id);
  }
  return createHash('sha256')
    .update(JSON.stringify(parts.map((part) => part ?? null)))
    .digest('hex');
}

/** `device_info`, byte for byte as the reference writes it. */
function deviceInfoText({ hubName, gatewayHost, deviceId }: DevicePlace): string {
  const lines = [
    ['hub_name', hubName],
    ['local_gateway_hostname', gatewayHost],
    ['device_id', deviceId],
  ] as const;
  return lines.map(([key, value]) => `${key} = ${tomlString(value)}\n`).join('');
}

function parseDeviceInfo(text: string): DevicePlace | undefined {
  if (text.trim() === 'unprovisioned') return undefined;
  const value = parse(text);
  if (!deviceInfoShape.Check(value)) throw new Error('could not parse device information state');
  return { hubName: value.hub_name, gatewayHost: value.local_gateway_hostname, deviceId: value.device_id };
}

function parseManaged(text: string): string[] {
  const value = parse(text);
  if (!prevStateShape.Check(value)) throw new Error('could not parse the settings of the last run');
  const principals = (value.principal ?? []).map(readPrincipal);
  checkNames(principals);
  return moduleNames(principals);
}

function parseProgress(text: string, place: DevicePlace): string[] | undefined {
  const value: unknown = JSON.parse(text);
  if (!progressShape.Check(value)) throw new Error('it does not hold what it should');
  return samePlace(value, place) ? value.modules : undefined;
}

/** Opens the state of a home directory, which is made if it is missing. */
export async function openStateFiles(homedir: string, log: Logger): Promise<StateFiles> {
  await mkdir(homedir, { recursive: true });
  const deviceInfo = join(homedir, 'device_info');
  const prevState = join(homedir, 'prev_state');
  const digest = join(homedir, 'provisioning_digest');
  const progress = join(homedir, 'reconciliation_progress');
  const write = (path: string, text: string) => writeFileDurable(path, text, { mode: MODE });

  async function readDeviceInfo(): Promise<DevicePlace | undefined> {
    const text = await readOptional(deviceInfo);
    if (text === undefined) return undefined;
    try {
      return parseDeviceInfo(text);
    } catch (error) {
      log.warn(`Ignoring invalid device info backup: ${causeChain(error).join(': ')}`);
      await removeFileDurable(deviceInfo);
      return undefined;
    }
  }

  async function readPrevState(): Promise<string[]> {
    const text = await readOptional(prevState);
    if (text === undefined) return [];
    try {
      return parseManaged(text);
    } catch (error) {
      log.warn(`Ignoring invalid device settings backup: ${causeChain(error).join(': ')}`);
      return [];
    }
  }

  async function readProgress(place: DevicePlace): Promise<string[] | undefined> {
    const text = await readOptional(progress);
    if (text === undefined) return undefined;
    try {
      return parseProgress(text, place);
    } catch (error) {
      log.warn(`Ignoring ${progress}: ${causeChain(error).join(': ')}`);
      return undefined;
    }
  }

  async function writeProgress(
    { hubName, gatewayHost, deviceId }: DevicePlace,
    managed: readonly string[],
  ): Promise<void> {
    await write(progress, `${JSON.stringify({ hubName, gatewayHost, deviceId, modules: managed })}\n`);
  }

  return {
    async readBackup(provisioning) {
      const place = await readDeviceInfo();
      if (!place) return undefined;
      const stored = (await readOptional(digest))?.trim();
      if (stored === undefined || stored === provisioningDigest(provisioning)) return place;
      log.info('The provisioning settings have changed since the last run; the device is registered anew.');
      return undefined;
    },
    async readManaged(place) {
      const interrupted = await readProgress(place);
      if (interrupted) return interrupted;
      const last = await readDeviceInfo();
      return last && samePlace(last, place) ? readPrevState() : [];
    },
    writeProgress,
    async writeDone(device, settings) {
      const wanted = [
        [deviceInfo, deviceInfoText(device)],
        [prevState, settingsText(settings)],
        [digest, `${device.enrolment}\n`],
      ] as const;
      const present = await Promise.all(wanted.map(([path]) => readOptional(path)));
      const stale = wanted.filter(([, text], index) => present[index] !== text);
      // A cut between two of the files leaves them apart; until all are written, this one tells what is managed.
      if (stale.length > 0) await writeProgress(device, moduleNames(settings.principals));
      for (const [path, text] of stale) await write(path, text);
      await removeFileDurable(progress);
    },
  };
}
