import { ERROR_TABLE, type ErrorCode } from './error-table.ts';

/**
 * An answer that is not a success. `message` is what the caller reads; `reasons` follow it as `caused by:` lines;
 * `cause` goes to the log only.
 */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  readonly code: ErrorCode;
  readonly status: number;
  /** Seconds for the header `Retry-After`; undefined: the answer has none. */
  readonly retryAfter: number | undefined;

  constructor(
    code: ErrorCode,
    options: {
      readonly parameters?: Readonly<Record<string, string | number>>;
      readonly reasons?: readonly string[];
      readonly cause?: unknown;
      readonly retryAfter?: number;
    } = {},
  ) {
    const row = ERROR_TABLE[code];
    const first = row.message.replace(/\{(\w+)\}/g, (_, name: string) => String(options.parameters?.[name] ?? ''));
    const text = [first, ...(options.reasons ?? []).map((reason) => `caused by: ${reason}`)].join('\n');
    super(text, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = row.status;
    this.retryAfter = options.retryAfter;
  }
}

/** The 400 of one bad parameter, with its reason on the second line. */
export function invalidParameter(name: string, ...reasons: string[]): ServiceError {
  return new ServiceError('parameter-invalid', { parameters: { name }, reasons });
}

/** The 500 that tells the caller nothing; `cause` is for the log. */
export function internalError(cause: unknown): ServiceError {
  return new ServiceError('internal', { cause });
}
