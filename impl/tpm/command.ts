import { Reader, sized, u8, u16, u32 } from './bytes.ts';
import {
  COMMANDS,
  CONTINUE_SESSION,
  type CommandName,
  HANDLES,
  type Handle,
  RESPONSES,
  toHandle,
} from './constants.ts';
import { LinkError, TpmError } from './tpm-error.ts';

const NO_SESSIONS = 0x8001;
const SESSIONS = 0x8002;
const HEADER_BYTES = 10;

/** How a command authorises the use of one of its handles. */
export type Authorisation =
  | { readonly kind: 'password'; readonly password: Buffer }
  | { readonly kind: 'session'; readonly session: Handle };

/** The empty password. */
export const NO_PASSWORD: Authorisation = { kind: 'password', password: Buffer.alloc(0) };

/** One TPM command: handles first, then an authorisation for each handle that wants one, then parameters, already marshalled. */
export interface Command {
  readonly name: CommandName;
  readonly handles: readonly Handle[];
  readonly authorisations?: readonly Authorisation[];
  readonly parameters?: readonly Buffer[];
  /** The response has a handle between its header and its parameters. */
  readonly returnsHandle?: true;
}

/** What a command that succeeded gave. */
export interface Response {
  /** TPM_RH_NULL where the command returns none. */
  readonly handle: Handle;
  readonly parameters: Reader;
}

function authorisationBytes(authorisation: Authorisation): Buffer {
  const noNonce = u16(0);
  if (authorisation.kind === 'password') {
    return Buffer.concat([u32(HANDLES.password), noNonce, u8(0), sized(authorisation.password)]);
  }
  // an unsalted, unbound policy session: no HMAC
  return Buffer.concat([u32(authorisation.session), noNonce, u8(CONTINUE_SESSION), u16(0)]);
}

/** The bytes of a command as the TPM takes them (TPM 2.0 Library, Part 1, 18). */
export function marshalCommand({ name, handles, authorisations = [], parameters = [] }: Command): Buffer {
  const areas = authorisations.map(authorisationBytes);
  const areaSize = areas.reduce((sum, area) => sum + area.length, 0);
  const body = [...handles.map(u32), ...(areas.length > 0 ? [u32(areaSize), ...areas] : []), ...parameters];
  const size = body.reduce((sum, part) => sum + part.length, HEADER_BYTES);
  const tag = areas.length > 0 ? SESSIONS : NO_SESSIONS;
  return Buffer.concat([u16(tag), u32(size), u32(COMMANDS[name]), ...body], size);
}

/** The response code of a whole response. Throws LinkError for what is no response: too short, or of another size than it says. */
export function responseCode(response: Buffer): number {
  if (response.length < HEADER_BYTES) {
    throw new LinkError(`the TPM answered ${response.length} bytes, which is shorter than a header`, 'maybe');
  }
  const size = response.readUInt32BE(2);
  if (size !== response.length) {
    throw new LinkError(`the TPM answered ${response.length} bytes and says that they are ${size}`, 'maybe');
  }
  return response.readUInt32BE(6);
}

/** Reads a response. Throws TpmError for any code but success, LinkError or MarshalError for what is no response. */
export function readResponse({ name, returnsHandle }: Command, response: Buffer): Response {
  const code = responseCode(response);
  if (code !== RESPONSES.success) throw new TpmError(name, code);
  const reader = new Reader(response.subarray(HEADER_BYTES));
  const handle = returnsHandle ? toHandle(reader.u32()) : HANDLES.null;
  if (response.readUInt16BE(0) !== SESSIONS) return { handle, parameters: reader };
  return { handle, parameters: new Reader(reader.take(reader.u32())) };
}
