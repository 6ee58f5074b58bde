/** `quirk`: the reference does otherwise, and nothing depends on it; the stricter behaviour is asked. */
export type Level = 'must' | 'should' | 'quirk';

/** What the machine has to have: callers of several uids, a PKCS#11 token, a TPM, root; and a driver that can start and stop. */
export type Need = 'uids' | 'pkcs11' | 'tpm' | 'root' | 'control';
