import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** A CONNECT request as the proxy saw it: the request line, then each header as `Name: value`. */
export type SeenConnect = readonly string[];

/**
 * An HTTP proxy that leads cloud names to ports of this machine, as a resolver would: daemons under test reach a simulated cloud by
 * its real names, without any change of their configuration but `HTTPS_PROXY`. Names that it does not know are refused with 502.
 */
export class ConnectProxy {
  readonly seen: SeenConnect[] = [];
  readonly #server: Server;
  readonly #ports = new Map<string, number>();
  readonly #open = new Set<Duplex>();
  #answer: 'tunnel' | 'status' = 'tunnel';
  #status = 200;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<ConnectProxy> {
    const server = createServer();
    const proxy = new ConnectProxy(server);
    server.on('connect', (request, socket, head) => proxy.#serve(request, socket, head));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Leads `name:443`, or a name with a port of its own, to a port. */
  lead(name: string, port: number): void {
    this.#ports.set(withPort(name), port);
  }

  /** From now on the name cannot be reached. */
  cut(name: string): void {
    this.#ports.delete(withPort(name));
  }

  /** From now on no name can be reached. */
  cutAll(): void {
    this.#ports.clear();
  }

  /** Answers every CONNECT with this status. */
  refuseWith(status: number): void {
    this.#answer = 'status';
    this.#status = status;
  }

  serve(): void {
    this.#answer = 'tunnel';
  }

  async stop(): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const headers: string[] = [];
    for (let at = 0; at + 1 < request.rawHeaders.length; at += 2)
      headers.push(`${request.rawHeaders[at]}: ${request.rawHeaders[at + 1]}`);
    this.seen.push([`CONNECT ${request.url} HTTP/1.1`, ...headers]);
    socket.on('error', () => {});
    const port = this.#ports.get(request.url ?? '') ?? loopbackPort(request.url ?? '');
    if (this.#answer === 'status' || port === undefined) {
      const status = this.#answer === 'status' ? this.#status : 502;
      socket.end(`HTTP/1.1 ${status} refused\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    const target = connect(port, '127.0.0.1');
    this.#follow(socket, target);
    target.once('connect', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      if (head.length > 0) target.write(head);
      socket.pipe(target).pipe(socket);
    });
  }

  #follow(socket: Duplex, target: Socket): void {
    for (const one of [socket, target]) {
      this.#open.add(one);
      one.on('close', () => {
        this.#open.delete(one);
        // a reset of one side has to reach the other
        socket.destroy();
        target.destroy();
      });
    }
    target.on('error', () => socket.destroy());
  }
}

const withPort = (name: string): string => (name.includes(':') ? name : `${name}:443`);

function loopbackPort(target: string): number | undefined {
  const port = /^(?:localhost|127\.0\.0\.1):(\d+)$/.exec(target)?.[1];
  return port === undefined ? undefined : Number(port);
}
