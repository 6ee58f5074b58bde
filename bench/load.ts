import { connect, type Socket } from 'node:net';

/** One load: the same request again and again on a Unix socket. */
export interface Load {
  readonly socketPath: string;
  /** Request line and headers without content-length, then the body. */
  readonly method: 'GET' | 'POST';
  readonly target: string;
  /** In place of `target`, one after the other and again from the first. */
  readonly targets?: readonly string[];
  /** `@CALLER@` in it becomes the number of the connection. */
  readonly body: string;
  readonly connections: number;
  readonly keepAlive: boolean;
  readonly seconds: number;
}

/** What a load measured; latencies in milliseconds. */
export interface Rate {
  readonly requestsPerSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly failures: number;
  /** Answered requests of each connection. */
  readonly perCaller: readonly number[];
}

function requestText(load: Load, target: string): string {
  const connection = load.keepAlive ? '' : 'connection: close\r\n';
  const body =
    load.body === '' ? '' : `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(load.body)}\r\n`;
  return `${load.method} ${target} HTTP/1.1\r\nhost: bench\r\n${connection}${body}\r\n${load.body}`;
}

/** True once the text holds a whole answer (all answers here carry content-length). */
function isWhole(text: string): boolean {
  const head = text.indexOf('\r\n\r\n');
  if (head < 0) return false;
  const length = /content-length: (\d+)/i.exec(text)?.[1] ?? '0';
  return text.length >= head + 4 + Number(length);
}

/** Sends one request on the socket and waits for its answer; false where it was not a 2xx. */
function exchange(socket: Socket, text: string): Promise<boolean> {
  return new Promise((resolve) => {
    let got = '';
    const done = (ok: boolean) => {
      socket.removeAllListeners('data').removeAllListeners('close');
      resolve(ok);
    };
    socket.on('data', (chunk: Buffer) => {
      got += chunk.toString('latin1');
      if (isWhole(got)) done(got.startsWith('HTTP/1.1 2'));
    });
    socket.once('close', () => done(false));
    socket.write(text);
  });
}

interface Served {
  readonly answered: number;
  readonly failures: number;
}

async function caller(load: Load, until: number, latencies: number[], number: number): Promise<Served> {
  const own = { ...load, body: load.body.replaceAll('@CALLER@', String(number)) };
  const texts = (load.targets ?? [load.target]).map((target) => requestText(own, target));
  let sent = 0;
  let failures = 0;
  let socket: Socket | undefined;
  while (performance.now() < until) {
    const begin = performance.now();
    socket ??= connect(load.socketPath).on('error', () => undefined);
    const ok = await exchange(socket, texts[sent++ % texts.length] ?? '');
    if (ok) latencies.push(performance.now() - begin);
    else failures++;
    if (!load.keepAlive || !ok) {
      socket.destroy();
      socket = undefined;
    }
  }
  socket?.destroy();
  return { answered: sent - failures, failures };
}

/** Runs the load to its end. */
export async function runLoad(load: Load): Promise<Rate> {
  const latencies: number[] = [];
  const begin = performance.now();
  const callers = Array.from({ length: load.connections }, (_, number) =>
    caller(load, begin + load.seconds * 1000, latencies, number),
  );
  const served = await Promise.all(callers);
  const seconds = (performance.now() - begin) / 1000;
  latencies.sort((a, b) => a - b);
  const at = (share: number) =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? Number.NaN;
  const failures = served.reduce((sum, each) => sum + each.failures, 0);
  const perCaller = served.map(({ answered }) => answered);
  return { requestsPerSecond: latencies.length / seconds, p50: at(0.5), p99: at(0.99), failures, perCaller };
}
