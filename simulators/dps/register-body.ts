import { isRegistrationId } from './enrollment.ts';
import { DpsError } from './errors.ts';
import type { ShownTpm } from './tpm/challenges.ts';

/** What a device sends to register. `payload` is any JSON value, or `undefined` when it sent none. */
export interface RegisterBody {
  registrationId: string;
  payload: unknown;
  /** The public keys of the device's TPM, where it showed both. */
  tpm: ShownTpm | undefined;
}

/**
 * Reads the body of a registration (spec cloud.md 3.1, 9.4).
 *
 * @param text the body as received.
 * @param pathId the registration id of the path, decoded.
 * @throws DpsError badRequest when it is no JSON object, or names another registration than the path.
 */
export function readRegisterBody(text: string, pathId: string): RegisterBody {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new DpsError('badRequest', { detail: 'the body is not JSON' });
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new DpsError('badRequest', { detail: 'the body is not a JSON object' });
  }
  const { registrationId, payload, tpm } = body as Record<string, unknown>;
  if (typeof registrationId !== 'string') throw new DpsError('badRequest', { detail: 'registrationId is missing' });
  if (registrationId.toLowerCase() !== pathId.toLowerCase()) {
    throw new DpsError('badRequest', { detail: 'registrationId differs from the one in the path' });
  }
  if (!isRegistrationId(pathId))
    throw new DpsError('badRequest', { detail: 'registrationId has characters that the service refuses' });
  return { registrationId, payload, tpm: shownTpm(tpm) };
}

/** @throws DpsError badRequest when there is a TPM and not both of its keys as base64. */
function shownTpm(value: unknown): ShownTpm | undefined {
  if (value === undefined || value === null) return undefined;
  const { endorsementKey, storageRootKey } = value as Partial<Record<keyof ShownTpm, unknown>>;
  if (!isBytes(endorsementKey) || !isBytes(storageRootKey))
    throw new DpsError('badRequest', { detail: 'tpm needs endorsementKey and storageRootKey in base64' });
  return { endorsementKey, storageRootKey };
}

function isBytes(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && Buffer.from(value, 'base64').toString('base64') === value;
}
