import koffi from 'koffi';
import { responseText } from './response-text.ts';
import { LONGEST_RESPONSE_BYTES, type OpenTcti, type Tcti } from './tcti.ts';
import { LinkError } from './tpm-error.ts';

const LIBRARY = 'libtss2-tctildr.so.0';
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

type Native = ReturnType<ReturnType<typeof koffi.load>['func']>;

interface Loader {
  readonly initialize: Native;
  readonly finalize: Native;
}

let loader: Loader | undefined;

/** The TCTI loader of the TSS, which knows every TCTI that is installed. Throws where it is not installed. */
function load(): Loader {
  if (!loader) {
    const library = koffi.load(LIBRARY);
    // the TSS would write its own lines to standard error beside the log
    process.env['TSS2_LOG'] ??= 'all+none';
    loader = {
      initialize: library.func('uint32_t Tss2_TctiLdr_Initialize(const char *conf, _Out_ void **context)'),
      finalize: library.func('void Tss2_TctiLdr_Finalize(_Inout_ void **context)'),
    };
  }
  return loader;
}

/** Whether the TCTI loader of the TSS is installed. */
export function loaderIsInstalled(): boolean {
  try {
    load();
    return true;
  } catch {
    return false;
  }
}

/** Runs a native call on a thread of the pool. */
function onThread(call: Native, ...args: unknown[]): Promise<number> {
  return new Promise((resolve, reject) => {
    call.async(...args, (error: unknown, result: number) => (error ? reject(error) : resolve(result)));
  });
}

/**
 * Opens a TCTI through the loader library. Every call runs on a thread of the pool, so that a slow TPM holds nobody up.
 * A call may never return (a TPM that hangs): the thread is then lost until it does.
 */
export const openLoaderTcti: OpenTcti = async (conf): Promise<Tcti> => {
  const { initialize, finalize } = load();
  const slot: unknown[] = [null];
  const opened = await onThread(initialize, conf, slot);
  if (opened !== 0) throw new LinkError(`could not open TCTI "${conf}": ${responseText(opened)}`, 'no');
  const context = slot[0];
  const members = koffi.decode(context, CONTEXT) as { readonly transmit: unknown; readonly receive: unknown };
  const transmit = koffi.decode(members.transmit, TRANSMIT) as Native;
  const receive = koffi.decode(members.receive, RECEIVE) as Native;
  const room = Buffer.alloc(LONGEST_RESPONSE_BYTES);
  return {
    async transmit(command) {
      const code = await onThread(transmit, context, command.length, command);
      if (code !== 0) throw new LinkError(responseText(code), 'no');
    },
    async receive() {
      const size = [room.length];
      const code = await onThread(receive, context, size, room, WAIT_FOR_EVER);
      if (code !== 0) throw new LinkError(responseText(code), 'maybe');
      return Buffer.from(room.subarray(0, Number(size[0])));
    },
    async close() {
      await onThread(finalize, slot);
    },
  };
};
