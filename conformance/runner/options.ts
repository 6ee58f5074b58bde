import { parseArgs } from 'node:util';
import { type DriverName, driverNamed, socketsFrom } from './launch.ts';
import { NEEDS, type Need } from './level.ts';

const REPORT_KINDS = ['html', 'junit', 'json', 'tap'] as const;
export type ReportKind = (typeof REPORT_KINDS)[number];

export const USAGE = `usage: aziot-conformance run [options]          ask the daemons or the cloud, and report
       aziot-conformance run --list [options]   say what would be asked, and ask nothing
       aziot-conformance report FILE… [options] one report of several runs (their json files)
       aziot-conformance requirements [--json]  the requirements as a page, or as data

What is asked
  --profile NAMES     areas, by comma: keys, openssl, certificates, identity, cloud-clients, tpm, est-client, dps, hub, est, transport, edge
                      (default: all)
  --only PATTERNS     ids, by comma: KS-0*, TR-027/keyd, keys-files#create
  --strict            "should" and "quirk" count as "must" does
  --without NEEDS     what is lacking on purpose, by comma: pkcs11, tpm, root, uids, control, changes, budget;
                      a token and a TPM are not used then, though they be there: --without pkcs11,tpm judges keys in files alone

What is tested (docs/conformance.md explains each)
  --driver NAME       ours (default), external, command, aziotd-rust, azure
  --aziotd PATH       ours: another program that becomes a daemon by its argument
  --socket NAME=PATH  external: the socket of a daemon that runs already; may be repeated
  --allow-changes     external, azure: things may be created in what runs already
  --command PATH      command: an executable with the verbs configure, start, stop, kill, as
  --rust-dir DIR      aziotd-rust: the folder with the binaries
  --engine PATH       another OpenSSL engine (aziot_keys.so) than that of this project
  --est FILE          a JSON file that describes another EST server
  --cloud PATH        a program that is another simulated cloud
  --target FILE       a JSON file that describes another DPS and hub
  --ca FILE           azure: the authorities of the services' certificates, PEM (default: those of Node)
  --max-requests N    azure: no more requests than these (default: 300)
  --min-spacing MS    azure: pause from one request to the next (default: 250)
  --name TEXT         what the implementation is called in reports

What comes out
  --expected FILE     differences that are expected, with reasons; one that is no difference any more fails the run
  --report KINDS      html, junit, json, tap, by comma
  --out DIR           where reports are written (default: conformance-report)
  --jobs N            areas that run beside each other (default: 6; most of the time they wait)
  --quiet             no progress, only what failed and the sum
  --help

Exit: 0 every "must" passed or is an expected difference, 1 otherwise, 2 wrong usage.
`;

export interface Options {
  readonly verb: 'run' | 'list' | 'report' | 'requirements' | 'help';
  readonly files: readonly string[];
  readonly profiles: readonly string[];
  readonly only: readonly string[];
  readonly strict: boolean;
  readonly without: readonly Need[];
  readonly driver: DriverName;
  readonly name: string;
  readonly expected?: string;
  readonly reports: readonly ReportKind[];
  readonly out: string;
  readonly jobs: number;
  readonly quiet: boolean;
  readonly json: boolean;
  /** What the drivers read, here and in the processes that run the cases. */
  readonly env: Readonly<Record<string, string>>;
}

const VERBS = ['run', 'report', 'requirements'] as const;
const text = { type: 'string' } as const;
const flag = { type: 'boolean', default: false } as const;
const many = { type: 'string', multiple: true } as const;

/** Reads the command line. @throws Error that says what is wrong with it */
export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      profile: many,
      only: many,
      strict: flag,
      without: many,
      driver: { type: 'string', default: process.env['AZIOT_CONFORMANCE_DRIVER'] || 'ours' },
      aziotd: text,
      socket: many,
      'allow-changes': flag,
      command: text,
      'rust-dir': text,
      engine: text,
      est: text,
      cloud: text,
      target: text,
      ca: text,
      'max-requests': text,
      'min-spacing': text,
      name: text,
      expected: text,
      report: many,
      out: { type: 'string', default: 'conformance-report' },
      jobs: { type: 'string', default: '6' },
      quiet: flag,
      json: flag,
      list: flag,
      help: flag,
    },
  });
  const [first = 'run', ...files] = positionals;
  const verb = VERBS.find((name) => name === first);
  if (!verb) throw new Error(`no verb is called ${JSON.stringify(first)}; use one of ${VERBS.join(', ')}`);
  if (verb !== 'report' && files.length > 0)
    throw new Error(`${JSON.stringify(files[0])} is no option; ids go to --only`);
  const driver = driverNamed(values.driver);
  // the guard of a live service counts and spaces what one process sends
  const jobs = driver === 'azure' ? 1 : wholeNumber('jobs', values.jobs, 1, 64);
  const profiles = profilesOf(driver, parts(values.profile));
  const sockets = (values.socket ?? []).join(',');
  socketsFrom(sockets);
  const without = parts(values.without).map((need) => oneOf('need', need, NEEDS));
  const env = {
    AZIOT_CONFORMANCE_DRIVER: driver,
    ...given('WITHOUT', without.join(',') || undefined),
    ...given('AZIOTD', values.aziotd),
    ...given('SOCKETS', sockets || undefined),
    ...given('ALLOW_CHANGES', values['allow-changes'] ? '1' : undefined),
    ...given('COMMAND', values.command),
    ...given('RUST_DIR', values['rust-dir']),
    ...given('ENGINE', values.engine),
    ...given('EST', values.est),
    ...given('CLOUD', values.cloud),
    ...given('TARGET', values.target),
    ...given('CA', values.ca),
    ...given('MAX_REQUESTS', limit('max-requests', values['max-requests'], 1)),
    ...given('MIN_SPACING', limit('min-spacing', values['min-spacing'], 0)),
  };
  return {
    verb: values.help ? 'help' : verb === 'run' && values.list ? 'list' : verb,
    files,
    profiles,
    only: parts(values.only),
    strict: values.strict,
    without,
    driver,
    name: values.name ?? driver,
    reports: parts(values.report).map((kind) => oneOf('report', kind, REPORT_KINDS)),
    out: values.out,
    jobs,
    quiet: values.quiet,
    json: values.json,
    env,
    ...(values.expected === undefined ? {} : { expected: values.expected }),
  };
}

/** What can be judged of live services. */
const OF_AZURE: readonly string[] = ['dps', 'hub'];

function profilesOf(driver: DriverName, wanted: readonly string[]): readonly string[] {
  if (driver !== 'azure') return wanted;
  const other = wanted.find((profile) => !OF_AZURE.includes(profile));
  if (other !== undefined) throw new Error(`driver azure judges the profiles dps and hub, not ${other}`);
  return wanted.length > 0 ? wanted : OF_AZURE;
}

function limit(name: string, value: string | undefined, least: number): string | undefined {
  return value === undefined ? undefined : String(wholeNumber(name, value, least, 1_000_000));
}

function wholeNumber(name: string, value: string, least: number, most: number): number {
  const number = Number(value);
  if (value.trim() === '' || !Number.isInteger(number) || number < least || number > most)
    throw new Error(`--${name} ${value} is no number from ${least} to ${most}`);
  return number;
}

function given(name: string, value: string | undefined): Record<string, string> {
  return value === undefined ? {} : { [`AZIOT_CONFORMANCE_${name}`]: value };
}

function parts(values: readonly string[] | undefined): string[] {
  return (values ?? []).flatMap((value) => value.split(',')).filter((value) => value !== '');
}

function oneOf<T extends string>(what: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value);
  if (!found) throw new Error(`no ${what} is called ${JSON.stringify(value)}; use one of ${allowed.join(', ')}`);
  return found;
}
