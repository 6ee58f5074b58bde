import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { LONGEST_RESPONSE_BYTES, type OpenTcti, type Tcti } from './tcti.ts';
import { LinkError } from './tpm-error.ts';

/** What the TCTI loader tries first where it is told nothing. */
const DEVICES = ['/dev/tpmrm0', '/dev/tpm0'];
const SWTPM_PORT = 2321;
const IN_LINE_MS = 10_000;
const IN_LINE_PAUSE_MS = 2;
const HEADER_BYTES = 10;
const SIZE_AT = 2;

/** `name` or `name:conf`. */
function partsOf(tcti: string): { readonly name: string; readonly conf: string } {
  const colon = tcti.indexOf(':');
  return colon < 0 ? { name: tcti, conf: '' } : { name: tcti.slice(0, colon), conf: tcti.slice(colon + 1) };
}

/** Where swtpm listens, of `host=…,port=…` or `path=…`. Throws LinkError for anything else. */
function addressOf(conf: string): NetConnectOpts {
  const found = new Map<string, string>();
  for (const part of conf === '' ? [] : conf.split(',')) {
    const [key = '', value] = part.split('=', 2);
    if (value === undefined || !['host', 'port', 'path'].includes(key)) {
      throw new LinkError(`"${part}" in the TCTI "swtpm:${conf}" is none of host=, port=, path=`, 'no');
    }
    found.set(key, value);
  }
  const path = found.get('path');
  if (path !== undefined) return { path };
  const port = Number(found.get('port') ?? SWTPM_PORT);
  if (!Number.isInteger(port) || port < 1 || port > 0xffff)
    throw new LinkError(`port ${found.get('port')} is none`, 'no');
  return { host: found.get('host') ?? 'localhost', port };
}

function connectOnce(address: NetConnectOpts): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(address);
    socket.once('connect', () => resolve(socket)).once('error', reject);
  });
}

/** swtpm serves one client after the other and has a short line: where that is full, it is tried again for some time. */
async function connected(address: NetConnectOpts): Promise<Socket> {
  const until = performance.now() + IN_LINE_MS;
  for (;;) {
    try {
      return await connectOnce(address);
    } catch (cause) {
      const lineIsFull = (cause as NodeJS.ErrnoException).code === 'EAGAIN';
      if (!lineIsFull || performance.now() > until) throw new LinkError('could not connect to swtpm', 'no', { cause });
    }
    await pause(IN_LINE_PAUSE_MS);
  }
}

/** A whole response, by the size that it says. */
function response(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let held = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      held = Buffer.concat([held, chunk]);
      if (held.length >= HEADER_BYTES && held.length >= held.readUInt32BE(SIZE_AT)) resolve(held);
    });
    socket.once('error', (cause) => reject(new LinkError('the way to swtpm broke', 'maybe', { cause })));
    socket.once('close', () => (held.length > 0 ? resolve(held) : reject(new LinkError('swtpm hung up', 'maybe'))));
  });
}

/** swtpm's stream of commands, one connection a command as the TSS does it, so that others come in between. */
async function openSwtpm(conf: string): Promise<Tcti> {
  const address = addressOf(conf);
  (await connected(address)).destroy();
  let socket: Socket | undefined;
  return {
    async exchange(command) {
      const current = await connected(address);
      socket = current;
      try {
        const answer = response(current);
        current.write(command);
        return await answer;
      } finally {
        current.destroy();
      }
    },
    async close() {
      socket?.destroy();
    },
  };
}

/** A character device: one write a command, one read a response. */
async function openDevice(path: string): Promise<Tcti> {
  const broken = (sent: 'no' | 'maybe') => (cause: unknown) => {
    throw new LinkError(`${path} failed`, sent, { cause });
  };
  const device = await open(path, constants.O_RDWR).catch(broken('no'));
  return {
    async exchange(command) {
      await device.write(command).catch(broken('maybe'));
      const room = Buffer.alloc(LONGEST_RESPONSE_BYTES);
      const { bytesRead } = await device.read(room, 0, room.length, null).catch(broken('maybe'));
      return room.subarray(0, bytesRead);
    },
    close: () => device.close(),
  };
}

async function firstOf(ways: readonly (() => Promise<Tcti>)[]): Promise<Tcti> {
  let last: unknown;
  for (const way of ways) {
    try {
      return await way();
    } catch (error) {
      last = error;
    }
  }
  throw last;
}

/**
 * The TCTIs that need no library of the TSS: `device[:path]`, `swtpm[:…]`, and the empty text, which is the first of these that opens
 * (spec/tpm-service.md 2). Any other text is a LinkError that says what to install.
 */
export const openOwnTcti: OpenTcti = async (tcti) => {
  const { name, conf } = partsOf(tcti);
  const devices = (conf === '' ? DEVICES : [conf]).map((path) => () => openDevice(path));
  if (name === 'device') return firstOf(devices);
  if (name === 'swtpm') return openSwtpm(conf);
  if (tcti === '') return firstOf([...devices, () => openSwtpm('')]);
  throw new LinkError(`TCTI "${tcti}" needs the library libtss2-tctildr.so.0; install libtss2-tctildr0`, 'no');
};
