import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, type Stats, statSync } from 'node:fs';
import { looksLikePrivateKey } from './key-pem.ts';

/** What the census asks of its thread. Names of files in the folder, joined by `/`: one text crosses more quickly than many. */
export interface CensusOrder {
  readonly folder: string;
  /** To be read, whether they hold whole symmetric keys. */
  readonly unread: string;
  /** To be looked at, whether they are what they were. */
  readonly doubted: string;
}

/** Stamps in the order of the names: the same number as long as a file is the same; zero where nothing can be said of it. */
export interface CensusReport {
  /** Device and inode of the folder; empty where it is not there. */
  readonly folderIs: string;
  readonly read: Float64Array;
  readonly seen: Float64Array;
  readonly empty: readonly string[];
}

/** Larger files are left to those who use them. */
const LARGEST_BYTES = 4096;
const room = Buffer.alloc(LARGEST_BYTES + 1);

const fields = new Float64Array(5);
const words = new Uint32Array(fields.buffer);

/** 53 bits that change with all that changes with a file. Only a plain file with one name is told of by the folder that it is in. */
function stampOf(stats: Stats): number {
  if (!stats.isFile() || stats.nlink !== 1) return 0;
  fields.set([stats.dev, stats.ino, stats.size, stats.mtimeMs, stats.ctimeMs]);
  let low = 0x811c9dc5;
  let high = 0x9747b28c;
  for (const word of words) {
    low = Math.imul(low ^ word, 0x01000193) ^ (low >>> 15);
    high = Math.imul(high ^ word, 0x85ebca6b) ^ (high >>> 13);
  }
  return (high >>> 11) * 2 ** 32 + (low >>> 0) + 1;
}

/** The stamp of a file that holds a whole symmetric key. Its bytes are wiped. */
function readStamp(path: string): number | 'empty' {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    const stats = fstatSync(fd);
    const stamp = stampOf(stats);
    if (stamp === 0) return 0;
    if (stats.size === 0) return 'empty';
    const length = readSync(fd, room, 0, room.length, 0);
    const bytes = room.subarray(0, length);
    const whole = length === stats.size && !looksLikePrivateKey(bytes);
    bytes.fill(0);
    return whole ? stamp : 0;
  } finally {
    closeSync(fd);
  }
}

function orZero<T>(look: () => T): T | 0 {
  try {
    return look();
  } catch {
    return 0;
  }
}

const namesIn = (joined: string): string[] => (joined === '' ? [] : joined.split('/'));

/** Looks at the files, blocking. What cannot be looked at has the stamp zero: whoever uses the file finds out, and says, why. */
export function lookAtFiles({ folder, unread, doubted }: CensusOrder): CensusReport {
  const own = orZero(() => statSync(folder));
  const empty: string[] = [];
  const read = namesIn(unread).map((name) => {
    const stamp = orZero(() => readStamp(`${folder}/${name}`));
    if (stamp !== 'empty') return stamp;
    empty.push(name);
    return 0;
  });
  const seen = namesIn(doubted).map((name) => orZero(() => stampOf(lstatSync(`${folder}/${name}`))));
  return {
    folderIs: own === 0 ? '' : `${own.dev}:${own.ino}`,
    read: Float64Array.from(read),
    seen: Float64Array.from(seen),
    empty,
  };
}
