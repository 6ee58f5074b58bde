/** `quirk`: the reference does otherwise, and nothing depends on it; the stricter behaviour is asked. */
export type Level = 'must' | 'should' | 'quirk';

/**
 * What the machine has to have: callers of several uids, a PKCS#11 token, a TPM, root; a driver that can start and stop; and of a live
 * service the leave to change something, and requests that may still be sent.
 */
export const NEEDS = ['uids', 'pkcs11', 'tpm', 'root', 'control', 'changes', 'budget'] as const;
export type Need = (typeof NEEDS)[number];
