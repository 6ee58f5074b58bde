import koffi from 'koffi';
import { responseText } from './response-text.ts';
import type { OpenTcti, Tcti } from './tcti.ts';
import {
  exchangeInOneTrip,
  exchangeInTwoTrips,
  type Native,
  type OneTrip,
  oneTrip,
  onThread,
} from './tcti-exchange.ts';
import { LinkError } from './tpm-error.ts';

const LIBRARY = 'libtss2-tctildr.so.0';

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

/** Opens a TCTI through the loader library, with the library for exchanges where it is given. Rejects with LinkError. */
export async function openLoaded(conf: string, library: OneTrip | undefined): Promise<Tcti> {
  const { initialize, finalize } = load();
  const slot: unknown[] = [null];
  const opened = await onThread(initialize, conf, slot);
  if (opened !== 0) throw new LinkError(`could not open TCTI "${conf}": ${responseText(opened)}`, 'no');
  return {
    exchange: library ? exchangeInOneTrip(library, slot[0]) : exchangeInTwoTrips(slot[0]),
    async close() {
      await onThread(finalize, slot);
    },
  };
}

/**
 * Opens a TCTI through the loader library. Every call into it runs on a thread of the pool, so that a slow TPM holds nobody up.
 * A call may never return (a TPM that hangs): the thread is then lost until it does.
 */
export const openLoaderTcti: OpenTcti = (conf) => openLoaded(conf, oneTrip());
