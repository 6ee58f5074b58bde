import type { Colours } from './colours.ts';
import type { KeyLocation } from './key-location.ts';
import type { Outcome } from './outcome.ts';
import type { UnixUser } from './unix-user.ts';

type Row = readonly [name: string, ...lines: string[]];

const DAY_MS = 86_400_000;

function describeLocation(location: KeyLocation): string {
  switch (location.kind) {
    case 'pkcs11':
      return `in the token "${location.token}"`;
    case 'tpm':
      return `in the TPM at 0x${location.handle}`;
    case 'file':
      return `in the file ${location.path}`;
  }
}

function inDays(notAfter: string, now: number): string {
  const days = Math.floor((Date.parse(notAfter) - now) / DAY_MS);
  return days >= 1 ? `in ${days} ${days === 1 ? 'day' : 'days'}` : 'within a day';
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widthOf = (column: number) => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widthOf(column)))
      .join('  ')
      .trimEnd(),
  );
}

/** A word of a shell command. */
function shellWord(text: string): string {
  return /^[\w./:=?@%,+-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

function userText({ name, uid }: UnixUser): string {
  return name === String(uid) ? `user ${uid}` : `${name} (${uid})`;
}

/** A command that gets the identity of the host process, as its user. */
export function curlLine({ hostUser, hostIsOther, sockets }: Outcome): string {
  const as = hostIsOther ? `setpriv --reuid=${hostUser.uid} --regid=${hostUser.gid} --clear-groups ` : '';
  const url = "'http://identityd.sock/identities/identity?api-version=2020-09-01'";
  return `${as}curl -s --unix-socket ${shellWord(sockets.identityd)} ${url}`;
}

function rowsOf(outcome: Outcome, now: number): Row[] {
  const { certificate, urls, keys, modules, host, hostUser, sockets, pid, folders, timingsMs } = outcome;
  const total = timingsMs['total'];
  const token =
    host.sasAccepted === null
      ? 'signed a token; there is no hub to use it at'
      : 'its token was taken by the hub, and refused once tampered with';
  const rows: (Row | undefined)[] = [
    ['device', `${outcome.deviceId} at ${outcome.hub}`],
    ['proved by', `${outcome.way.attestation} (${outcome.way.name})`],
    certificate && [
      'certificate',
      certificate.subject,
      `issued by ${certificate.issuer}`,
      `ends ${certificate.notAfter.slice(0, 10)}, ${inDays(certificate.notAfter, now)}`,
    ],
    ['keys', ...aligned(keys.map(({ id, use, location }) => [id, use, describeLocation(location)]))],
    ['modules', ...aligned(modules.map(({ moduleId, genId }) => [moduleId, `generation ${genId}`]))],
    ['host process', `${host.moduleId}, as ${userText(hostUser)}`, token],
    [
      'sockets',
      ...aligned(
        (['keyd', 'certd', 'identityd', 'tpmd'] as const).flatMap((name) =>
          sockets[name] === undefined ? [] : [[sockets[name], `process ${pid[name]}`]],
        ),
      ),
    ],
    urls
      ? [
          'cloud',
          ...aligned([
            ['EST', urls.est],
            ['DPS', `${urls.dps}  scope ${outcome.scopeId}`],
            ['hub', urls.hub],
          ]),
          `trust them by ${outcome.rootCaPath}`,
        ]
      : ['cloud', 'stopped'],
    ['state', folders.temporary.includes(folders.base) ? `${folders.base} (goes at the end)` : folders.base],
    total === undefined ? undefined : ['took', `${(total / 1000).toFixed(1)} s`],
  ];
  return rows.filter((row) => row !== undefined);
}

/** The table that a person reads at the end of the story. `now`: milliseconds since 1970. */
export function renderTable(outcome: Outcome, { bold, dim, cyan, green }: Colours, now: number): string {
  const rows = rowsOf(outcome, now);
  const width = Math.max(...rows.map(([name]) => name.length));
  const lines = rows.flatMap(([name, ...values]) =>
    values.map((value, index) => `  ${bold((index === 0 ? name : '').padEnd(width))}   ${value}`),
  );
  const heading = `${green('●')} ${bold('a device of its own, in a cloud of its own')}`;
  const command = outcome.life === 'stay' ? ['', `  ${dim('try')}`, `  ${cyan(curlLine(outcome))}`] : [];
  return ['', heading, '', ...lines, ...command, '', ''].join('\n');
}
