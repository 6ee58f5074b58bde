import { ask } from './tpm-proxy.ts';

/** First handle of each kind, where TPM2_GetCapability begins to count. */
const FIRST = {
  transient: '80000000',
  'loaded-session': '02000000',
  'saved-session': '03000000',
  persistent: '81000000',
} as const;
export type HandleKind = keyof typeof FIRST;
export const HANDLE_KINDS = Object.keys(FIRST) as readonly HandleKind[];

const COUNT_AT = 15;
const HANDLES_AT = 19;

/**
 * The handles of a kind that a TPM has now, eight hex digits each: what `tpm2_getcap` shows, for tests that look after every request.
 * @param path the Unix socket of the TPM
 */
export async function handlesOf(path: string, kind: HandleKind): Promise<string[]> {
  const wish = Buffer.from(`8001000000160000017a00000001${FIRST[kind]}000000fe`, 'hex');
  const answer = await ask(path, wish);
  if (answer.readUInt32BE(6) !== 0) throw new Error(`GetCapability gave 0x${answer.readUInt32BE(6).toString(16)}`);
  const count = answer.readUInt32BE(COUNT_AT);
  return Array.from({ length: count }, (_, at) => answer.toString('hex', HANDLES_AT + 4 * at, HANDLES_AT + 4 * at + 4));
}
