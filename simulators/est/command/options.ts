import { parseArgs } from 'node:util';
import type { BasicCredential } from '../auth.ts';

/** What the command line asks for. */
export interface EstCommand {
  readonly port: number;
  readonly controlPort: number;
  readonly host: string;
  readonly names: readonly string[] | undefined;
  readonly dataDir: string | undefined;
  readonly configFile: string | undefined;
  readonly users: readonly BasicCredential[];
  readonly digestUsers: readonly BasicCredential[];
  readonly clientCaFiles: readonly string[];
  /** Members of a profile, as the JSON of --config would have them; checked there. */
  readonly profile: Readonly<Record<string, unknown>>;
  readonly require: string | undefined;
  readonly quirks: Readonly<Record<string, unknown>>;
  readonly output: 'text' | 'json';
}

export type EstCommandLine =
  | { readonly kind: 'run'; readonly command: EstCommand }
  | { readonly kind: 'help' }
  | { readonly kind: 'invalid'; readonly message: string };

const DEFAULT_PORT = 8443;
const DEFAULT_CONTROL_PORT = 8444;

class Unusable extends Error {}

function numberOf(option: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  if (!/^-?\d{1,10}$/.test(text)) throw new Unusable(`--${option} needs a whole number, not "${text}"`);
  return Number(text);
}

function portOf(option: string, text: string | undefined, fallback: number): number {
  const port = numberOf(option, text, fallback);
  if (port < 0 || port > 65_535) throw new Unusable(`--${option} needs a port, 0 to 65535`);
  return port;
}

function userOf(option: string, text: string): BasicCredential {
  const colon = text.indexOf(':');
  if (colon < 1) throw new Unusable(`--${option} needs NAME:PASSWORD`);
  return { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** `name` is true, `name=5` a number, `name={…}` JSON, anything else text. */
function quirkOf(text: string): readonly [string, unknown] {
  const equals = text.indexOf('=');
  if (equals < 0) return [text, true];
  const value = text.slice(equals + 1);
  try {
    return [text.slice(0, equals), JSON.parse(value)];
  } catch {
    return [text.slice(0, equals), value];
  }
}

function read(args: readonly string[]): EstCommandLine {
  const { values } = parseArgs({
    args: [...args],
    allowPositionals: false,
    options: {
      help: { type: 'boolean', short: 'h' },
      json: { type: 'boolean' },
      port: { type: 'string' },
      'control-port': { type: 'string' },
      host: { type: 'string' },
      name: { type: 'string', multiple: true },
      'data-dir': { type: 'string' },
      config: { type: 'string' },
      user: { type: 'string', multiple: true, default: [] },
      'digest-user': { type: 'string', multiple: true, default: [] },
      'client-ca': { type: 'string', multiple: true, default: [] },
      require: { type: 'string' },
      lifetime: { type: 'string' },
      'not-before': { type: 'string' },
      'manual-approval': { type: 'boolean' },
      possession: { type: 'string' },
      quirk: { type: 'string', multiple: true, default: [] },
    },
  });
  if (values.help) return { kind: 'help' };
  const profile = {
    ...(values.lifetime === undefined ? {} : { certificateLifetimeSeconds: numberOf('lifetime', values.lifetime, 0) }),
    ...(values['not-before'] === undefined
      ? {}
      : { notBeforeOffsetSeconds: numberOf('not-before', values['not-before'], 0) }),
    ...(values['manual-approval'] ? { approval: 'manual' } : {}),
    ...(values.possession === undefined ? {} : { possession: values.possession }),
  };
  const command: EstCommand = {
    port: portOf('port', values.port, DEFAULT_PORT),
    controlPort: portOf('control-port', values['control-port'], DEFAULT_CONTROL_PORT),
    host: values.host ?? '127.0.0.1',
    names: values.name,
    dataDir: values['data-dir'],
    configFile: values.config,
    users: values.user.map((text) => userOf('user', text)),
    digestUsers: values['digest-user'].map((text) => userOf('digest-user', text)),
    clientCaFiles: values['client-ca'],
    profile,
    require: values.require,
    quirks: Object.fromEntries(values.quirk.map(quirkOf)),
    output: values.json ? 'json' : 'text',
  };
  return { kind: 'run', command };
}

/** Reads the arguments after the program's name. */
export function readCommandLine(args: readonly string[]): EstCommandLine {
  try {
    return read(args);
  } catch (error) {
    return { kind: 'invalid', message: (error as Error).message.split('. ')[0] ?? '' };
  }
}
