import type { HttpsResponse } from '../https/index.ts';
import { CloudError } from './cloud-error.ts';
import { hubIdFault } from './hub-id.ts';
import { addressOf, parseJson } from './operation.ts';

/** Where a registration stands. */
export type RegistrationStep =
  | { readonly state: 'pending'; readonly operationId: string | undefined }
  | {
      readonly state: 'assigned';
      readonly hubName: string;
      readonly deviceId: string;
      /** Base64 of the wrapped key that a TPM device uses from now on. */
      readonly authenticationKey: string | undefined;
    };

type Members = Readonly<Record<string, unknown>>;

function members(value: unknown): Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : {};
}

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

function assigned(state: Members): RegistrationStep {
  const hubName = text(state['assignedHub']);
  const deviceId = text(state['deviceId']);
  if (hubName === undefined || deviceId === undefined) {
    const missing = hubName === undefined ? 'assignedHub' : 'deviceId';
    throw new CloudError('invalid-data', `missing field \`${missing}\` in the assignment of DPS`);
  }
  // Nobody could work with such a device, and it would take the place of one that works.
  const fault = hubIdFault(deviceId, 'device id');
  if (fault !== undefined) throw new CloudError('invalid-data', `DPS assigned an impossible device: ${fault}`);
  addressOf(hubName);
  const authenticationKey = text(members(state['tpm'])['authenticationKey']);
  return { state: 'assigned', hubName, deviceId, authenticationKey };
}

/**
 * Reads the answer to a registration or a poll (spec/cloud.md 3.3): `assigning` and `unassigned` mean to ask again, `failed` and
 * `disabled` are final errors. An answer without a status but with an operation id is pending (202 of the registration).
 */
export function readStep(answer: HttpsResponse): RegistrationStep {
  const body = members(parseJson(answer));
  const state = members(body['registrationState']);
  const operationId = text(body['operationId']);
  const status = body['status'];
  if (status === 'assigned') return assigned(state);
  if (status === 'assigning' || status === 'unassigned' || (status === undefined && operationId !== undefined)) {
    return { state: 'pending', operationId };
  }
  if (status === 'failed') {
    const reason = text(state['errorMessage']) ?? text(state['message']) ?? 'DPS gave no reason';
    throw new CloudError('refused', reason);
  }
  if (status === 'disabled') {
    throw new CloudError('refused', 'the enrolment of this device is disabled in DPS; enable it there');
  }
  throw new CloudError('invalid-data', `DPS answered with the unknown status ${JSON.stringify(status) ?? 'none'}`);
}

/** The wrapped nonce key of the 401 that challenges a TPM device, base64. Throws CloudError. */
export function readChallenge(answer: HttpsResponse): Buffer {
  const key = text(members(parseJson(answer))['authenticationKey']);
  if (key === undefined)
    throw new CloudError('invalid-data', 'missing field `authenticationKey` in the challenge of DPS');
  return decodeKey(key);
}

/** Bytes of a wrapped key. Throws CloudError where it is not base64. */
export function decodeKey(key: string): Buffer {
  const bytes = Buffer.from(key, 'base64');
  if (bytes.toString('base64') !== key)
    throw new CloudError('invalid-data', 'the authentication key of DPS is not base64');
  return bytes;
}
