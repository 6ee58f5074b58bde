import type { Machine } from './machine.ts';
import type { Options, Provisioning } from './options.ts';
import type { Settings } from './settings.ts';
import { StepFailure } from './step-failure.ts';
import { wayOf } from './ways.ts';

/** How this start goes: what was asked for, what an earlier start left, and what the machine can do, made one. */
export interface Plan {
  readonly provisioning: Provisioning;
  readonly store: 'token' | 'tpm-token' | 'file';
  /** What a person should know about the choice. */
  readonly notes: readonly string[];
}

function refuse(expected: string, came: string, remedy: string): never {
  throw new StepFailure({ step: 'plan', expected, came, remedy });
}

function storeOf({ token }: Options, machine: Machine, earlier: Settings | undefined): Plan['store'] {
  if (earlier === undefined) {
    if (token === 'tpm') return 'tpm-token';
    return 'module' in machine.softHsm || token === 'softhsm' ? 'token' : 'file';
  }
  const { store } = earlier;
  const begun = store.kind === 'token' ? (store.token ?? 'softhsm') : 'file';
  if (token !== undefined && token !== begun) {
    refuse(
      `a data folder with keys in ${token}`,
      `one with keys in ${begun}`,
      'leave --token out, or take another --data-dir',
    );
  }
  return begun === 'file' ? 'file' : begun === 'tpm' ? 'tpm-token' : 'token';
}

/**
 * Decides how this start goes.
 *
 * @param earlier the settings in the data folder; undefined: it is new
 * @throws StepFailure when the wish cannot be fulfilled
 */
export function makePlan(options: Options, machine: Machine, earlier: Settings | undefined): Plan {
  const notes: string[] = [];
  if (earlier === undefined && options.cloud === 'stopped') {
    refuse('a data folder with a provisioned device', `nothing in ${options.dataDir}`, 'start once without --no-cloud');
  }
  if (earlier && options.provisioning !== undefined && options.provisioning !== earlier.provisioning) {
    const remedy = 'leave --provisioning out, or take another --data-dir';
    refuse(`a data folder of ${options.provisioning}`, `one of ${earlier.provisioning}`, remedy);
  }
  let provisioning = options.provisioning ?? earlier?.provisioning;
  if (provisioning === undefined) {
    provisioning = machine.engine === 'built' ? 'dps-x509-est' : 'dps-symmetric';
    if (machine.engine === 'missing') {
      notes.push(
        `the OpenSSL engine is not built, so the device has a symmetric key (dps-symmetric); for certificates: ${machine.aptLine}`,
      );
    }
  }
  if (wayOf(provisioning).attestation === 'x509' && machine.engine === 'missing') {
    refuse(
      `the OpenSSL engine, which ${provisioning} needs for TLS with a key in keyd`,
      'it is not built',
      machine.aptLine,
    );
  }
  if (wayOf(provisioning).attestation === 'tpm' && machine.softwareTpm !== 'installed') {
    refuse('a software TPM (swtpm)', machine.softwareTpm.missing, 'install it, or take another --provisioning');
  }
  const store = storeOf(options, machine, earlier);
  if (store === 'tpm-token') {
    if (wayOf(provisioning).attestation === 'tpm') {
      const why = 'the PKCS#11 module for TPMs puts an EC key at 0x81000001, where DPS needs the RSA storage root key';
      refuse('dps-tpm, or keys in the TPM by --token tpm', `both: ${why}`, 'leave --token tpm out');
    }
    if ('missing' in machine.tpmToken) {
      refuse('what a TPM as a token takes', machine.tpmToken.missing, 'install it, or leave --token tpm out');
    }
    return { provisioning, store, notes };
  }
  if ('missing' in machine.softHsm) {
    if (store === 'token') refuse('the SoftHSM token of this data folder', machine.softHsm.missing, machine.aptLine);
    notes.push(`private keys go to files: ${machine.softHsm.missing}; for a token: ${machine.aptLine}`);
  }
  return { provisioning, store, notes };
}
