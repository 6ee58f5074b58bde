import type { Socket } from 'node:net';
import koffi from 'koffi';
import { toUid, type Uid } from './uid.ts';

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
/** struct ucred: pid, uid, gid, 32 bits each. */
const UCRED_BYTES = 12;
const UID_OFFSET = 4;

const getsockopt = koffi
  .load(null)
  .func('int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint32_t *length)');

/** File descriptor of a socket that Node has open; Node offers no public way, so a test guards this field per Node version. */
function descriptorOf(socket: Socket): number {
  const handle = (socket as unknown as { readonly _handle?: { readonly fd?: number } | null })._handle;
  const fd = handle?.fd;
  if (typeof fd !== 'number' || fd < 0) throw new Error('peer credentials: the connection has no file descriptor');
  return fd;
}

/**
 * Uid of the process that connected, as the kernel recorded it at connect time. Read it once a connection, never by pid.
 * Throws when the connection is gone already or is no Unix socket.
 */
export function peerUid(socket: Socket): Uid {
  const value = Buffer.alloc(UCRED_BYTES);
  const length = [UCRED_BYTES];
  if (getsockopt(descriptorOf(socket), SOL_SOCKET, SO_PEERCRED, value, length) !== 0 || length[0] !== UCRED_BYTES) {
    throw new Error('peer credentials: getsockopt(SO_PEERCRED) failed');
  }
  return toUid(value.readUInt32LE(UID_OFFSET));
}
