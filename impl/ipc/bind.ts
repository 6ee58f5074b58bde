import { chmodSync } from 'node:fs';
import { lstat, readlink, rmdir, unlink } from 'node:fs/promises';
import type { Server } from 'node:net';
import type { Logger } from '../process/index.ts';
import { readActivation } from './activation.ts';

/** Longest path that fits `sockaddr_un` with its terminating zero. */
const LONGEST_SOCKET_PATH_BYTES = 107;

const SOCKET_MODE = 0o660;

async function clearStale(path: string, log: Logger): Promise<void> {
  let entry: Awaited<ReturnType<typeof lstat>>;
  try {
    entry = await lstat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw new Error(`could not look at the socket path ${path}`, { cause: error });
  }
  if (!entry.isDirectory()) {
    await unlink(path);
    return;
  }
  log.warn(`${path} is a directory where the socket belongs; removing it`);
  try {
    await rmdir(path);
  } catch (cause) {
    throw new Error(`could not remove the directory ${path} that is in the place of the socket; move it away`, {
      cause,
    });
  }
}

async function checkInheritedSocket(fd: number): Promise<void> {
  const target = await readlink(`/proc/self/fd/${fd}`).catch(() => '');
  if (!target.startsWith('socket:')) throw new Error(`descriptor ${fd}, passed by LISTEN_FDS, is not a socket`);
}

function listening(server: Server, options: { fd: number } | { path: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (cause: Error) => reject(new Error(`could not listen on ${JSON.stringify(options)}`, { cause }));
    server.once('error', onError);
    server.listen(options, () => {
      server.removeListener('error', onError);
      resolve();
    });
  });
}

/**
 * Makes the server listen: on the descriptor that systemd passed, else on the Unix path, which replaces a stale socket and gets mode 0660
 * (spec/transport.md 2 and 3). TCP is never served. Rejects with what is wrong (exit 1).
 */
export async function bindServer(
  server: Server,
  options: { readonly path: string; readonly env: Readonly<Record<string, string | undefined>>; readonly log: Logger },
): Promise<void> {
  const activation = readActivation(options.env, process.pid);
  if (activation.kind === 'descriptor') {
    await checkInheritedSocket(activation.fd);
    await listening(server, { fd: activation.fd });
    const address = server.address();
    if (address !== null && typeof address === 'object' && 'port' in address) {
      server.close();
      throw new Error(
        `descriptor ${activation.fd}, passed by LISTEN_FDS, is a TCP socket; only Unix sockets are served`,
      );
    }
    return;
  }
  if (Buffer.byteLength(options.path) > LONGEST_SOCKET_PATH_BYTES) {
    throw new Error(
      `the socket path ${options.path} is longer than ${LONGEST_SOCKET_PATH_BYTES} bytes; choose a shorter one`,
    );
  }
  await clearStale(options.path, options.log);
  const umask = process.umask(0o777 & ~SOCKET_MODE);
  try {
    await listening(server, { path: options.path });
  } finally {
    process.umask(umask);
  }
  chmodSync(options.path, SOCKET_MODE);
}
