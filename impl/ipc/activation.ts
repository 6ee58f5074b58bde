/** First descriptor that systemd passes. */
const FIRST_FD = 3;

/** What the environment says about sockets that were passed to this process. */
export type Activation = { readonly kind: 'none' } | { readonly kind: 'descriptor'; readonly fd: number };

function readNumber(name: string, text: string): number {
  if (!/^\d+$/.test(text))
    throw new Error(`${name}: "${text}" is not a number; it is set by systemd, unset it otherwise`);
  return Number(text);
}

/**
 * Reads `LISTEN_PID` and `LISTEN_FDS` (spec/transport.md 3): exactly one descriptor for this very process counts, whatever its name.
 * Throws when a value cannot be read (exit 1).
 */
export function readActivation(env: Readonly<Record<string, string | undefined>>, pid: number): Activation {
  const listenPid = env['LISTEN_PID'];
  if (listenPid === undefined || readNumber('LISTEN_PID', listenPid) !== pid) return { kind: 'none' };
  const listenFds = env['LISTEN_FDS'];
  if (listenFds === undefined) return { kind: 'none' };
  return readNumber('LISTEN_FDS', listenFds) === 1 ? { kind: 'descriptor', fd: FIRST_FD } : { kind: 'none' };
}
