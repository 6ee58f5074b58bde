import { isRegistrationId } from './enrollment.ts';
import { DpsError } from './errors.ts';

/** What a device sends to register. `payload` is any JSON value, or `undefined` when it sent none. */
export interface RegisterBody {
  registrationId: string;
  payload: unknown;
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
  const { registrationId, payload } = body as Record<string, unknown>;
  if (typeof registrationId !== 'string') throw new DpsError('badRequest', { detail: 'registrationId is missing' });
  if (registrationId.toLowerCase() !== pathId.toLowerCase()) {
    throw new DpsError('badRequest', { detail: 'registrationId differs from the one in the path' });
  }
  if (!isRegistrationId(pathId))
    throw new DpsError('badRequest', { detail: 'registrationId has characters that the service refuses' });
  return { registrationId, payload };
}
