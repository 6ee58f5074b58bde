export type { TokenAddress } from './messages.ts';
export { TokenHost } from './token-host.ts';
