import { once } from 'node:events';
import { createServer, request } from 'node:http';

/** A request that came through, and how many registrations the cloud had seen by then. */
export interface Forwarded {
  readonly line: string;
  readonly registrations: number;
}

/** A Unix socket in front of a daemon's: it notes each request, and may answer in the daemon's place. */
export interface Forwarder {
  readonly seen: readonly Forwarded[];
  /** Answers a request line with this status; undefined forwards it. */
  refuse: (line: string, body: string) => number | undefined;
  close(): Promise<void>;
}

/** Listens on `path` and forwards to `target`; `registrations` is asked at each request. */
export async function forward(path: string, target: string, registrations: () => number): Promise<Forwarder> {
  const seen: Forwarded[] = [];
  const server = createServer(async (incoming, answer) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const line = `${incoming.method} ${(incoming.url ?? '').split('?')[0]}`;
    seen.push({
      line: `${line}${
        /"certId":"([^"]+)"/
          .exec(body.toString())
          ?.slice(1)
          .map((id) => ` ${id}`) ?? ''
      }`,
      registrations: registrations(),
    });
    const status = forwarder.refuse(line, body.toString());
    if (status !== undefined) {
      answer.writeHead(status, { 'content-type': 'application/json' }).end('{"message":"refused by the test"}');
      return;
    }
    const { method, url: path, headers } = incoming;
    const asking = request({ socketPath: target, method, path, headers }, (got) => {
      answer.writeHead(got.statusCode ?? 500, got.headers);
      got.pipe(answer);
    });
    asking.on('error', () => answer.destroy());
    asking.end(body);
  });
  const forwarder: Forwarder = {
    seen,
    refuse: () => undefined,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  server.listen(path);
  await once(server, 'listening');
  return forwarder;
}
