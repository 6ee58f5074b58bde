import { loaderIsInstalled, openLoaderTcti } from './loader-tcti.ts';
import type { OpenTcti } from './tcti.ts';
import { LinkError } from './tpm-error.ts';

/** Opens any TCTI string: through the loader library of the TSS where it is installed. */
export const openTcti: OpenTcti = async (conf) => {
  if (loaderIsInstalled()) return openLoaderTcti(conf);
  throw new LinkError(`TCTI "${conf}" needs the library libtss2-tctildr.so.0; install libtss2-tctildr0`, 'no');
};
