import { chmod, mkdir, mkdtemp, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** The longest path that a Unix socket can have, in bytes without the closing zero (Linux: 108 with it). */
const SOCKET_PATH_LIMIT = 107;

/** Where everything of one sandbox lies. */
export interface Folders {
  readonly base: string;
  /** State and configuration of each daemon. */
  readonly keyd: string;
  readonly certd: string;
  readonly identityd: string;
  readonly tpmd: string;
  /** State of the software TPM. */
  readonly tpm: string;
  /** Test PKI and state of the simulators; the only folder with private keys in clear. */
  readonly cloud: string;
  /** Sockets and what the host process may read. */
  readonly run: string;
  /** What has to go at the end. */
  readonly temporary: readonly string[];
}

export interface FolderRequest {
  readonly dataDir: string | undefined;
  readonly ownUid: number;
  readonly hostUid: number;
  /** `XDG_RUNTIME_DIR` of the caller, where it is set. */
  readonly runtimeDir: string | undefined;
}

/** Whether every socket in `run` has a path that the system takes. */
export function socketsFit(run: string): boolean {
  return Buffer.byteLength(join(run, 'identityd.sock')) <= SOCKET_PATH_LIMIT;
}

/** Whether another user can enter `folder` and all of those above it. */
export async function isEnterableByOthers(folder: string): Promise<boolean> {
  for (let current = await realpath(folder); ; current = dirname(current)) {
    if (((await stat(current)).mode & 0o001) === 0) return false;
    if (current === dirname(current)) return true;
  }
}

/** Keys in a folder that somebody else can change are not safe. @throws Error saying whose it is */
async function refuseForeign(base: string, ownUid: number): Promise<void> {
  const { uid, mode } = await stat(base);
  if (uid !== ownUid && uid !== 0)
    throw new Error(`the data folder ${base} belongs to user ${uid}; take one of your own`);
  if ((mode & 0o002) !== 0) throw new Error(`everybody may write into the data folder ${base}; run: chmod o-w ${base}`);
}

/** Makes the folders: below the data folder, else in a fresh temporary one; sockets in a short one where they must. */
export async function openFolders({ dataDir, ownUid, hostUid, runtimeDir }: FolderRequest): Promise<Folders> {
  const temporary: string[] = [];
  const shared = hostUid !== ownUid;
  let base: string;
  if (dataDir === undefined) {
    base = await mkdtemp(join(tmpdir(), 'aziot-sandbox-'));
    await chmod(base, shared ? 0o755 : 0o700);
    temporary.push(base);
  } else {
    base = resolve(dataDir);
    await mkdir(base, { recursive: true, mode: 0o755 });
    await refuseForeign(base, ownUid);
  }
  const state = ['keyd', 'certd', 'identityd', 'tpmd', 'tpm', 'cloud'].map((name) => join(base, name));
  for (const folder of state) await mkdir(folder, { recursive: true, mode: 0o700 });
  let run = join(base, 'run');
  if (!socketsFit(run) || (shared && !(await isEnterableByOthers(base)))) {
    const parent =
      !shared && runtimeDir !== undefined && socketsFit(join(runtimeDir, 'aziot-XXXXXX')) ? runtimeDir : '/tmp';
    run = await mkdtemp(join(parent, 'aziot-'));
    temporary.push(run);
  } else {
    await mkdir(run, { recursive: true });
  }
  await chmod(run, shared ? 0o755 : 0o700);
  const [keyd = '', certd = '', identityd = '', tpmd = '', tpm = '', cloud = ''] = state;
  return { base, keyd, certd, identityd, tpmd, tpm, cloud, run, temporary };
}

/** Removes what lay only for this run. */
export async function removeTemporary({ temporary }: Folders): Promise<void> {
  for (const folder of temporary) await rm(folder, { recursive: true, force: true });
}
