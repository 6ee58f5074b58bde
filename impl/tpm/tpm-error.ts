import type { CommandName } from './constants.ts';
import { responseText } from './response-text.ts';

/** The TPM answered a command with a code other than success. */
export class TpmError extends Error {
  override readonly name = 'TpmError';
  readonly code: number;

  constructor(command: CommandName, code: number) {
    super(`${responseText(code)}, answered to ${command}`);
    this.code = code;
  }
}

/**
 * The way to the TPM failed: it cannot be reached, went away, did not answer in time, or answered what is no response.
 * What the TPM did with the command is unknown, except where `sent` is `no`.
 */
export class LinkError extends Error {
  override readonly name = 'LinkError';
  readonly sent: 'no' | 'maybe';

  constructor(message: string, sent: 'no' | 'maybe', options?: { readonly cause: unknown }) {
    super(message, options);
    this.sent = sent;
  }
}

/** The TPM holds, or was given, something that tpmd does not use; the message says what, where and what to do. */
export class UnusableObject extends Error {
  override readonly name = 'UnusableObject';
}
