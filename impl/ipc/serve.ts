import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createNetServer, type Socket } from 'node:net';
import { causeChain, type Logger, type RunningDaemon } from '../process/index.ts';
import { bindServer } from './bind.ts';
import { runExchange, type Service } from './exchange.ts';
import { HangUp } from './hang-up.ts';
import { NodeArrival } from './node-arrival.ts';
import { peerUid } from './peer-credentials.ts';
import { PlainHeads } from './plain-head.ts';
import { servePlainRequests } from './plain-requests.ts';
import type { ServiceApi } from './route.ts';
import { RouteFinder } from './router.ts';
import { ConnectionSlots, type SlotHolder } from './slots.ts';
import type { Uid } from './uid.ts';

/** An idle or silent connection gives its slot back after this long (spec/transport.md 7, stricter). */
const HEAD_DEADLINE_MS = 30_000;
const IDLE_DEADLINE_MS = 60_000;
const MOST_HEADERS = 100;
const LONGEST_HEAD_BYTES = 64 * 1024;
/** How long requests in flight may take to end when the daemon stops. */
const DRAIN_MS = 3000;

/** What serving needs to know. */
export interface ServeOptions {
  readonly api: ServiceApi;
  /** Absolute path of the Unix socket; unused when systemd passed one. */
  readonly socketPath: string;
  /** Simultaneous connections of one uid, at least 1. */
  readonly maxRequests: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
}

interface Connection extends SlotHolder {
  readonly uid: Uid;
  active: number;
  answered: number;
  /** Told when the connection closes; that of the plain exchange under way. */
  hangUp: HangUp | undefined;
}

/** Answer to what is not HTTP: a bare status and the end (spec/transport.md 7). */
function bareAnswer(socket: Socket, code: string | undefined): void {
  if (!socket.writable || code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const status = code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
  const silent = code === 'ERR_HTTP_REQUEST_TIMEOUT';
  if (silent) socket.destroy();
  else socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}

/** Plain text on purpose: IoT Edge takes a JSON error for a verdict on the device (spec/transport.md 5). */
function refuseBusy(socket: Socket, uid: Uid): void {
  const text = `too many connections of user ${uid}, try again\n`;
  socket.end(
    `HTTP/1.1 503 Service Unavailable\r\nretry-after: 3\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: ${text.length}\r\n\r\n${text}`,
  );
}

/**
 * Serves a daemon's API on its Unix socket until closed: socket activation, peer uid once a connection, slots per uid, the checks of
 * spec/transport.md 2 to 7 in their order. Rejects when the socket cannot be had.
 */
export async function serve({ api, socketPath, maxRequests, env, log }: ServeOptions): Promise<RunningDaemon> {
  const service: Service = { api, finder: new RouteFinder(api), log };
  const heads = new PlainHeads();
  const slots = new ConnectionSlots(maxRequests);
  const connections = new WeakMap<Socket, Connection>();
  const open = new Set<Socket>();
  let stopping = false;

  const ended = (connection: Connection) => {
    connection.active--;
    connection.answered++;
    if (stopping && connection.idle()) connection.close();
    else slots.turnedIdle(connection.uid);
  };

  const http = createHttpServer(
    {
      requireHostHeader: false,
      maxHeaderSize: LONGEST_HEAD_BYTES,
      headersTimeout: HEAD_DEADLINE_MS,
      requestTimeout: 0,
      keepAliveTimeout: IDLE_DEADLINE_MS,
    },
    (request: IncomingMessage, response: ServerResponse) => {
      const connection = connections.get(request.socket);
      if (!connection) {
        request.socket.destroy();
        return;
      }
      connection.active++;
      const hangUp = new HangUp();
      response.on('close', () => {
        if (!response.writableFinished) hangUp.tell();
        ended(connection);
      });
      void runExchange(service, new NodeArrival(request, response), connection.uid, hangUp);
    },
  );
  http.maxHeadersCount = MOST_HEADERS;
  http.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (error.code !== 'ECONNRESET') log.info(`Error while serving HTTP connection: ${error.message}`);
    bareAnswer(socket, error.code);
  });

  const take = (socket: Socket) => {
    let uid: Uid;
    try {
      uid = peerUid(socket);
    } catch (error) {
      log.warn(`dropping a connection: ${causeChain(error).join(': ')}`);
      socket.destroy();
      return;
    }
    const connection: Connection = {
      uid,
      active: 0,
      answered: 0,
      hangUp: undefined,
      idle: () => connection.active === 0 && connection.answered > 0,
      close: () => socket.destroySoon(),
    };
    open.add(socket);
    connections.set(socket, connection);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      open.delete(socket);
      connection.hangUp?.tell();
      slots.release(uid, connection);
    });
    slots.ask(uid, connection, {
      enter: () => {
        servePlainRequests(socket, {
          heads,
          patienceMs: { first: HEAD_DEADLINE_MS, idle: IDLE_DEADLINE_MS },
          async run(arrival) {
            connection.active++;
            connection.hangUp = new HangUp();
            await runExchange(service, arrival, uid, connection.hangUp);
            connection.hangUp = undefined;
            ended(connection);
          },
          handOver: () => {
            http.emit('connection', socket);
            socket.resume();
          },
        });
        socket.resume();
      },
      refuse: () => refuseBusy(socket, uid),
      crowded: () => log.info(`Max simultaneous connections reached for user ${uid}`),
    });
  };

  const server = createNetServer({ pauseOnConnect: true }, take);
  await bindServer(server, { path: socketPath, env, log });
  server.on('error', (error) => log.error(`could not accept a connection: ${error.message}`));

  return {
    async close() {
      stopping = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of open) if (connections.get(socket)?.active === 0) socket.destroy();
      const drain = setTimeout(() => {
        for (const socket of open) socket.destroy();
      }, DRAIN_MS);
      await closed;
      clearTimeout(drain);
      http.close();
    },
  };
}
