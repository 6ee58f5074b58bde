import type { Socket } from 'node:net';
import { PlainArrival } from './plain-arrival.ts';
import type { PlainHeads } from './plain-head.ts';

/** What is done on a connection whose requests are plain. */
export interface PlainService {
  readonly heads: PlainHeads;
  /** How long a connection may say nothing before its first request, and after an answer. */
  readonly patienceMs: { readonly first: number; readonly idle: number };
  /** Runs one exchange; settles after the answer was written, and never rejects. */
  run(arrival: PlainArrival): Promise<void>;
  /** Something that is not plain has come: node:http takes the connection with all that was not answered. */
  handOver(): void;
}

/** The request that a chunk is, as a whole and nothing else; undefined where it is not plain. */
function wholeRequest(chunk: Buffer, heads: PlainHeads, socket: Socket): PlainArrival | undefined {
  const end = chunk.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = heads.read(chunk.toString('latin1', 0, end));
  const start = end + 4;
  if (!head || chunk.length - start !== head.contentLength) return undefined;
  return new PlainArrival(head, chunk.subarray(start), socket);
}

/**
 * Serves plain requests, each of which came in one piece, until the connection ends or says something else. This is a short cut beside
 * node:http and never the judge of what is valid: whatever is pipelined, in pieces, chunked, malformed or merely unusual goes to node:http
 * (docs/decisions/daemon-http.md).
 */
export function servePlainRequests(socket: Socket, service: PlainService): void {
  let state: 'free' | 'running' | 'draining' = 'free';
  let answered = false;
  /** What came while an exchange was running. */
  let early: Buffer | undefined;

  const onData = (chunk: Buffer) => {
    if (state !== 'free') {
      early = early ? Buffer.concat([early, chunk]) : chunk;
      socket.pause();
      return;
    }
    const arrival = wholeRequest(chunk, service.heads, socket);
    if (!arrival) {
      leave(chunk);
      return;
    }
    state = 'running';
    void service.run(arrival).then(() => {
      if (!answered) socket.setTimeout(service.patienceMs.idle);
      answered = true;
      if (arrival.ends) {
        socket.destroySoon();
      } else if (socket.writableNeedDrain) {
        state = 'draining';
        socket.once('drain', next);
      } else next();
    });
  };

  const next = () => {
    state = 'free';
    if (early) leave(early);
  };

  const onTimeout = () => {
    if (state !== 'running') socket.destroy();
  };

  const leave = (rest: Buffer) => {
    socket.off('data', onData);
    socket.off('timeout', onTimeout);
    socket.setTimeout(0);
    socket.pause();
    socket.unshift(rest);
    service.handOver();
  };

  socket.on('data', onData);
  socket.on('timeout', onTimeout);
  socket.setTimeout(service.patienceMs.first);
}
