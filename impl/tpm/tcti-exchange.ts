import { existsSync } from 'node:fs';
import { join } from 'node:path';
import koffi from 'koffi';
import { responseText } from './response-text.ts';
import { LONGEST_RESPONSE_BYTES } from './tcti.ts';
import { LinkError } from './tpm-error.ts';

/** TSS2_TCTI_TIMEOUT_BLOCK; the TCTIs of TSS 3 know no other. */
const WAIT_FOR_EVER = -1;

const TRANSMIT = koffi.proto('uint32_t AziotTctiTransmit(void *context, size_t size, const uint8_t *command)');
const RECEIVE = koffi.proto(
  'uint32_t AziotTctiReceive(void *context, _Inout_ size_t *size, uint8_t *response, int32_t timeout)',
);
/** TSS2_TCTI_CONTEXT_COMMON_V1 up to what is used. */
const CONTEXT = koffi.struct('AziotTctiContext', {
  magic: 'uint64_t',
  version: 'uint32_t',
  transmit: 'void *',
  receive: 'void *',
});
/** Both in one native call, and a look for its end (tcti_exchange.c). */
const BOTH =
  'uint32_t aziot_tcti_exchange(void *context, uint32_t command_size, uint8_t *room, uint32_t room_size, uint32_t *outcome)';
const ENDED_WITHIN = 'uint32_t aziot_tcti_ended_within(const uint32_t *outcome, uint32_t longest_us)';
/** The longest look for the end of an exchange: what a TPM in software and the wake-up of a thread take. */
const LOOK_US = 150;
const UNLUCKY_MS = 1000;
const LIBRARY = join(import.meta.dirname, 'build/aziot_tcti.so');

/** A function of a library. */
export type Native = ReturnType<ReturnType<typeof koffi.load>['func']>;

/** Sends a command and gives its response. Rejects with LinkError. */
export type Exchange = (command: Buffer) => Promise<Buffer>;

/** Runs a native call on a thread of the pool. What it reads and writes is kept until it has ended, whoever has given up on it. */
export function onThread(call: Native, ...args: unknown[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const kept = [...args];
    call.async(...args, (error: unknown, result: number) => {
      kept.length = 0;
      if (error) reject(error);
      else resolve(result);
    });
  });
}

/** The library of ours that makes an exchange in one call. */
export interface OneTrip {
  readonly exchange: Native;
  readonly endedWithin: Native;
}

let library: OneTrip | 'absent' | undefined;

/** The library; undefined where it is not built (`impl/tpm/build.sh` builds it). */
export function oneTrip(): OneTrip | undefined {
  if (!library && existsSync(LIBRARY)) {
    const native = koffi.load(LIBRARY);
    library = { exchange: native.func(BOTH), endedWithin: native.func(ENDED_WITHIN) };
  }
  library ??= 'absent';
  return library === 'absent' ? undefined : library;
}

/**
 * A command and its response on one trip to a thread. Waking the event loop when the thread is done costs as much as a TPM in software
 * needs for the command: so the event loop looks for the end first, for {@link LOOK_US} at most, once a turn, and not again for
 * {@link UNLUCKY_MS} where that was in vain. A TPM in hardware is never that quick.
 */
export function exchangeInOneTrip({ exchange, endedWithin }: OneTrip, context: unknown): Exchange {
  const room = Buffer.alloc(LONGEST_RESPONSE_BYTES);
  // ended, code, sent, size
  const outcome = new Uint32Array(4);
  let lookFrom = 0;
  /** The last call, until the event loop has been told of its end. */
  let untold: Promise<number> | undefined;
  return async (command) => {
    if (command.length > room.length) throw new LinkError(`${command.length} bytes are no command`, 'no');
    if (untold) await untold;
    command.copy(room);
    outcome[0] = 0;
    const told = onThread(exchange, context, command.length, room, room.length, outcome);
    untold = told;
    const forget = () => {
      if (untold === told) untold = undefined;
    };
    told.then(forget, forget);
    const begin = performance.now();
    const looks = begin >= lookFrom;
    if (!looks || endedWithin(outcome, LOOK_US) === 0) {
      if (looks) lookFrom = begin + UNLUCKY_MS;
      await told;
    }
    const [, code = 0, sent, size] = outcome;
    if (code !== 0) throw new LinkError(responseText(code), sent === 0 ? 'no' : 'maybe');
    return Buffer.from(room.subarray(0, size));
  };
}

/** The same where the call that does both is not built: a trip for the command, a trip for the response. */
export function exchangeInTwoTrips(context: unknown): Exchange {
  const members = koffi.decode(context, CONTEXT) as { readonly transmit: unknown; readonly receive: unknown };
  const transmit = koffi.decode(members.transmit, TRANSMIT) as Native;
  const receive = koffi.decode(members.receive, RECEIVE) as Native;
  const room = Buffer.alloc(LONGEST_RESPONSE_BYTES);
  return async (command) => {
    const sent = await onThread(transmit, context, command.length, command);
    if (sent !== 0) throw new LinkError(responseText(sent), 'no');
    const size = [room.length];
    const code = await onThread(receive, context, size, room, WAIT_FOR_EVER);
    if (code !== 0) throw new LinkError(responseText(code), 'maybe');
    return Buffer.from(room.subarray(0, Number(size[0])));
  };
}
