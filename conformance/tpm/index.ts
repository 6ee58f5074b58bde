export { Swtpm, swtpmIsMissing } from './swtpm.ts';
export { COMMAND_CODES, type CommandName, type Play, TpmProxy } from './tpm-proxy.ts';
