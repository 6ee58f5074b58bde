/** Every refusal of the hub: status, the name in `ErrorCode:` and in `iothub-errorcode` (spec cloud.md 7). */
export const HUB_ERRORS = {
  argumentInvalid: { status: 400, name: 'ArgumentInvalid' },
  unauthorized: { status: 401, name: 'IotHubUnauthorizedAccess' },
  deviceDisabled: { status: 403, name: 'DeviceDisabled' },
  notFound: { status: 404, name: 'NotFound' },
  deviceNotFound: { status: 404, name: 'DeviceNotFound' },
  moduleNotFound: { status: 404, name: 'ModuleNotFound' },
  methodNotAllowed: { status: 405, name: 'MethodNotAllowed' },
  moduleExists: { status: 409, name: 'ModuleAlreadyExistsOnDevice' },
  preconditionFailed: { status: 412, name: 'PreconditionFailed' },
  messageTooLarge: { status: 413, name: 'MessageTooLarge' },
  tooManyModules: { status: 413, name: 'TooManyModulesOnDevice' },
  serverError: { status: 500, name: 'ServerError' },
} as const;

export type HubErrorCode = keyof typeof HUB_ERRORS;

/** A refusal of the hub: which row of `HUB_ERRORS`, and the text after the name. */
export class HubError extends Error {
  readonly code: HubErrorCode;

  constructor(code: HubErrorCode, text: string) {
    super(text);
    this.code = code;
  }

  get status(): number {
    return HUB_ERRORS[this.code].status;
  }

  /** The value of the header `iothub-errorcode`. */
  get errorName(): string {
    return HUB_ERRORS[this.code].name;
  }
}

/** Who words a refusal: the hub itself, or an Edge hub that stands before it (spec cloud.md 7, last line). */
export type ErrorVoice = 'hub' | 'edge';

/**
 * The JSON body of a refusal.
 *
 * @param trackingId 32 hex digits, new for every answer.
 * @param now time of the answer, milliseconds since 1970.
 */
export function hubErrorBody(error: HubError, voice: ErrorVoice, trackingId: string, now: number): object {
  if (voice === 'edge') return { errorMessage: error.message };
  return {
    Message: `ErrorCode:${error.errorName};${error.message}`,
    ExceptionMessage: `Tracking ID:${trackingId}-G:1-TimeStamp:${usDateTime(now)}`,
  };
}

/** `MM/dd/yyyy HH:mm:ss` in UTC, as the service writes it. */
function usDateTime(now: number): string {
  const iso = new Date(now).toISOString();
  return `${iso.slice(5, 7)}/${iso.slice(8, 10)}/${iso.slice(0, 4)} ${iso.slice(11, 19)}`;
}
