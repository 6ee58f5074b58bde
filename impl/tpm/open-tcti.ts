import { loaderIsInstalled, openLoaderTcti } from './loader-tcti.ts';
import { openOwnTcti } from './own-tcti.ts';
import type { OpenTcti } from './tcti.ts';

/** Opens a TCTI string: through the loader library of the TSS where it is installed, else what can be had without. */
export const openTcti: OpenTcti = (conf) => (loaderIsInstalled() ? openLoaderTcti(conf) : openOwnTcti(conf));
