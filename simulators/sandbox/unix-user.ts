import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** A user of this machine. */
export interface UnixUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

const NOBODY = 65534;

/** The fields of a line of `/etc/passwd` that belongs to `wanted`, a name or a number in text form. */
export function findUser(passwd: string, wanted: string): UnixUser | undefined {
  for (const line of passwd.split('\n')) {
    const [name, , uid, gid] = line.split(':');
    if (name === undefined || uid === undefined || gid === undefined) continue;
    if (name === wanted || uid === wanted) return { name, uid: Number(uid), gid: Number(gid) };
  }
  return undefined;
}

async function lookUp(wanted: string): Promise<UnixUser | undefined> {
  try {
    // getent also knows users that are not in the file
    const { stdout } = await promisify(execFile)('getent', ['passwd', '--', wanted]);
    return findUser(stdout, wanted);
  } catch {
    return findUser(await readFile('/etc/passwd', 'utf8').catch(() => ''), wanted);
  }
}

/**
 * The user that the host process runs as.
 *
 * @param wanted a name or number; absent: nobody when `own` is root, else `own`
 * @throws Error when there is no such user, or when `own` may not become that user
 */
export async function hostUser(wanted: string | undefined, own: number): Promise<UnixUser> {
  const text = wanted ?? String(own === 0 ? NOBODY : own);
  const found = await lookUp(text);
  const user = found ?? (/^\d{1,9}$/.test(text) ? { name: text, uid: Number(text), gid: Number(text) } : undefined);
  if (user === undefined) {
    throw new Error(`no user is called "${text}"; make one with: sudo useradd --system ${text}`);
  }
  if (own !== 0 && user.uid !== own) {
    throw new Error(`only root can act as the user ${user.name}; leave --host-user out, or start as root`);
  }
  return user;
}
