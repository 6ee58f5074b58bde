import { CloudError } from '../cloud/index.ts';
import { type ErrorCode, ServiceError } from '../ipc/index.ts';
import { causeChain } from '../process/index.ts';

/** The answer for a failure of another service: its own first line, then the chain of causes (spec/identity-service.md 2.2). */
function withCauses(code: ErrorCode, error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  return new ServiceError(code, { reasons: causeChain(error), cause: error });
}

/** 404 `Hub client error`. */
export const hubFailed = (error: unknown): ServiceError => withCauses('hub-failed', error);
/** 404 `DPS client error`. */
export const dpsFailed = (error: unknown): ServiceError => withCauses('dps-failed', error);
/** 404 `Key client error`: the device's own key. */
export const keyClientFailed = (error: unknown): ServiceError => withCauses('key-client-failed', error);

/** The failure of DPS or the hub behind an answer, if that is what it was. */
export function cloudFailureOf(error: unknown): CloudError | undefined {
  const seen = new Set<unknown>();
  let current = error;
  while (current instanceof Error && !seen.has(current)) {
    if (current instanceof CloudError) return current;
    seen.add(current);
    current = current.cause;
  }
  return undefined;
}

/** The answer while there is no device. */
export const deviceNotFound = (): ServiceError => new ServiceError('device-not-found');
