/** A way to a TPM: whole commands in, whole responses out, one at a time. */
export interface Tcti {
  /** The response to a command, as it came. Rejects with LinkError; `sent: 'no'` where the command has certainly not reached the TPM. */
  exchange(command: Buffer): Promise<Buffer>;
  close(): Promise<void>;
}

/** Opens the way that a TCTI string names (spec/tpm-service.md 2). Rejects with LinkError. */
export type OpenTcti = (conf: string) => Promise<Tcti>;

/** Room for the largest response (TPM2_MAX_RESPONSE_SIZE of the TSS), and so for the largest command. */
export const LONGEST_RESPONSE_BYTES = 4096;
