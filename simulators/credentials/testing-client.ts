import { request } from 'node:https';

/** A request of a test. `target` goes on the wire as it is, without any normalisation. */
export interface TestRequest {
  method: string;
  /** Of the listener: `https://localhost:PORT`, with or without a path. */
  url: string;
  target: string;
  headers?: Readonly<Record<string, string>>;
  body?: string | Buffer;
  /** PEM: the root that the server's certificate must lead to, and what the client shows. */
  ca: string;
  cert?: string;
  key?: string;
}

export interface TestAnswer {
  status: number;
  headers: Record<string, string>;
  /** Parsed where the answer says it is JSON, else as text. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of any shape
  body: any;
}

/** Sends one request on a connection of its own, as the clients of the services do. */
export function sendTestRequest({
  method,
  url,
  target,
  headers = {},
  body,
  ca,
  cert,
  key,
}: TestRequest): Promise<TestAnswer> {
  const { hostname, port } = new URL(url);
  const { promise, resolve, reject } = Promise.withResolvers<TestAnswer>();
  const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
  const outgoing = request(
    {
      host: '127.0.0.1',
      servername: hostname,
      port,
      method,
      path: target,
      headers: { ...headers, ...length },
      ca,
      cert,
      key,
      agent: false,
    },
    (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('error', reject);
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        const isJson = incoming.headers['content-type']?.includes('application/json') && text !== '';
        const received = Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]);
        resolve({
          status: incoming.statusCode ?? 0,
          headers: Object.fromEntries(received),
          body: isJson ? JSON.parse(text) : text,
        });
      });
    },
  );
  outgoing.on('error', reject);
  outgoing.end(body);
  return promise;
}
