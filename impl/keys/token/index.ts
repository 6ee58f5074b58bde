export { type TokenAddress, type TokenObject, type TokenOutcome, type TokenTask, tokenName } from './messages.ts';
export { TokenHost } from './token-host.ts';
