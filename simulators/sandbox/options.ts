import { parseArgs } from 'node:util';

/** The ways in which a device can come to its identity. */
export const PROVISIONINGS = [
  'dps-x509-est',
  'dps-x509-local-ca',
  'dps-symmetric',
  'dps-symmetric-group',
  'manual-sas',
  'manual-x509',
  'dps-tpm',
] as const;
export type Provisioning = (typeof PROVISIONINGS)[number];

/** What can hold the device's private keys beside files. */
const TOKENS = ['softhsm', 'tpm'] as const;
export type TokenKind = (typeof TOKENS)[number];

/** What the command line asks for. */
export interface Options {
  /** Absent: as the data folder was set up, else the default of this machine. */
  readonly provisioning: Provisioning | undefined;
  /** `once` ends after the story; `stay` keeps the world up until a stop signal. */
  readonly life: 'once' | 'stay';
  readonly output: 'table' | 'json';
  /** Absent: a temporary folder that goes at the end. */
  readonly dataDir: string | undefined;
  readonly cloud: 'simulated' | 'stopped';
  /** A user name or number, as given. */
  readonly hostUser: string | undefined;
  /** What holds the device's private keys; absent: as the data folder was set up, else SoftHSM. */
  readonly token: TokenKind | undefined;
}

export type CommandLine =
  | { readonly kind: 'run'; readonly options: Options }
  | { readonly kind: 'help' }
  | { readonly kind: 'invalid'; readonly message: string };

/** Reads the arguments after the program's name. */
export function readCommandLine(args: readonly string[]): CommandLine {
  try {
    const { values } = parseArgs({
      args: [...args],
      allowPositionals: false,
      options: {
        help: { type: 'boolean', short: 'h' },
        once: { type: 'boolean' },
        json: { type: 'boolean' },
        'no-cloud': { type: 'boolean' },
        provisioning: { type: 'string' },
        'data-dir': { type: 'string' },
        'host-user': { type: 'string' },
        token: { type: 'string' },
      },
    });
    if (values.help) return { kind: 'help' };
    const provisioning = values.provisioning;
    if (provisioning !== undefined && !isProvisioning(provisioning)) {
      return invalid(`no way of provisioning is called "${provisioning}"; use one of: ${PROVISIONINGS.join(', ')}`);
    }
    const token = TOKENS.find((name) => name === values.token);
    if (values.token !== undefined && token === undefined) {
      return invalid(`no token is called "${values.token}"; use one of: ${TOKENS.join(', ')}`);
    }
    if (values['no-cloud'] && values['data-dir'] === undefined) {
      return invalid('--no-cloud needs --data-dir with a folder that was provisioned before');
    }
    for (const name of ['data-dir', 'host-user'] as const) {
      if (values[name] === '') return invalid(`--${name} needs a value`);
    }
    return {
      kind: 'run',
      options: {
        provisioning,
        life: values.once ? 'once' : 'stay',
        output: values.json ? 'json' : 'table',
        dataDir: values['data-dir'],
        cloud: values['no-cloud'] ? 'stopped' : 'simulated',
        hostUser: values['host-user'],
        token,
      },
    };
  } catch (error) {
    return invalid(error instanceof Error ? (error.message.split('. ')[0] ?? error.message) : String(error));
  }
}

/** Whether `text` names a way of provisioning. */
function isProvisioning(text: string): text is Provisioning {
  return (PROVISIONINGS as readonly string[]).includes(text);
}

function invalid(message: string): CommandLine {
  return { kind: 'invalid', message };
}
