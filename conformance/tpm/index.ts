import type { Checklist, Group } from '../runner/index.ts';
import { faults } from './faults.ts';
import { importing } from './import.ts';
import { signing } from './sign.ts';
import { start } from './start.ts';

export { tpmGolden } from './golden-tpm.ts';
export { Swtpm, swtpmIsMissing } from './swtpm.ts';
export { COMMAND_CODES, type CommandName, type Play, TpmProxy } from './tpm-proxy.ts';
export { unwrapKey } from './unwrap-key.ts';
export { TpmWorld } from './world.ts';

export const tpmGroups: readonly Group[] = [start, importing, signing, faults];

/** tpm-service.md, checklist of thirty-eight. */
export const tpmChecklist: Checklist = { prefix: 'TPM', count: 38, without: {} };
