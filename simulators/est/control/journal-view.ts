import type { JournalEntry } from '../../common/index.ts';

/** A credential is shown by its scheme and, for basic, its user alone. */
function masked(value: string): string {
  const [scheme = '', rest = ''] = value.split(/ +/, 2);
  if (/^basic$/i.test(scheme)) {
    const user = Buffer.from(rest, 'base64').toString('utf8').split(':')[0] ?? '';
    return `${scheme} ${user}:***`;
  }
  return `${scheme} ***`;
}

/** An entry as JSON shows it: time in ISO 8601, body in base64, credentials masked. */
export function journalView(entry: JournalEntry): Readonly<Record<string, unknown>> {
  const { time, headers, body, ...rest } = entry;
  return {
    time: new Date(time).toISOString(),
    ...rest,
    headers: headers.map(([name, value]) => [name, /^(proxy-)?authorization$/i.test(name) ? masked(value) : value]),
    body: body.toString('base64'),
  };
}
