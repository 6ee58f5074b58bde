/** Every refusal of the provisioning service: status, `errorCode`, message (spec cloud.md 7, hub-dps-protocols.md A.8). */
export const DPS_ERRORS = {
  badRequest: { status: 400, errorCode: 400004, message: 'Bad request' },
  unauthorized: { status: 401, errorCode: 401002, message: 'Unauthorized' },
  notFound: { status: 404, errorCode: 404000, message: 'Not found' },
  scopeNotFound: { status: 404, errorCode: 404002, message: 'Scope not found' },
  operationNotFound: { status: 404, errorCode: 404003, message: 'Operation not found' },
  registrationNotFound: { status: 404, errorCode: 404201, message: 'Registration not found' },
  methodNotAllowed: { status: 405, errorCode: 405000, message: 'Method not allowed' },
  unsupportedMediaType: { status: 415, errorCode: 415000, message: 'Unsupported media type' },
  internal: { status: 500, errorCode: 500000, message: 'Internal server error' },
} as const;

export type DpsErrorCode = keyof typeof DPS_ERRORS;

/**
 * A refusal of the provisioning service. `reason` says for the journal why, and is never sent to the caller of a
 * refused credential; `detail` is added to the message.
 */
export class DpsError extends Error {
  readonly code: DpsErrorCode;
  readonly reason: string;

  constructor(code: DpsErrorCode, { detail, reason }: { detail?: string; reason?: string } = {}) {
    const { message } = DPS_ERRORS[code];
    super(detail === undefined ? message : `${message}: ${detail}`);
    this.code = code;
    this.reason = reason ?? this.message;
  }

  get status(): number {
    return DPS_ERRORS[this.code].status;
  }
}

/**
 * The JSON body of a refusal.
 *
 * @param trackingId a UUID, new for every answer.
 * @param now time of the answer, milliseconds since 1970.
 */
export function dpsErrorBody(error: DpsError, trackingId: string, now: number): object {
  return {
    errorCode: DPS_ERRORS[error.code].errorCode,
    trackingId,
    message: error.message,
    timestampUtc: serviceTime(now),
  };
}

/** A time as the service writes it: RFC 3339 in UTC with seven decimals. `now` in milliseconds since 1970. */
export function serviceTime(now: number): string {
  return new Date(now).toISOString().replace('Z', '0000Z');
}
