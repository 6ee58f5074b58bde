import { request } from 'node:http';

export interface UnixCall {
  readonly socketPath: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Path with its query. */
  readonly path: string;
  readonly body?: unknown;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface UnixAnswer {
  readonly status: number;
  /** The parsed body; undefined where it is empty. */
  readonly body: unknown;
  readonly text: string;
}

const ANSWER_LIMIT = 1024 * 1024;

/**
 * One JSON call to a daemon on its Unix socket.
 *
 * @throws Error when there is no answer in time (30 s unless told), or none that is JSON
 */
export function callUnix({
  socketPath,
  method,
  path,
  body,
  timeoutMs = 30_000,
  signal,
}: UnixCall): Promise<UnixAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<UnixAnswer>();
  const content = body === undefined ? undefined : JSON.stringify(body);
  const headers: Record<string, string> =
    content === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(content)) };
  const call = request({ socketPath, method, path, headers, agent: false, ...(signal ? { signal } : {}) }, (answer) => {
    const parts: Buffer[] = [];
    let size = 0;
    answer.on('data', (part: Buffer) => {
      size += part.length;
      if (size > ANSWER_LIMIT) call.destroy(new Error(`the answer to ${method} ${path} is larger than 1 MiB`));
      parts.push(part);
    });
    answer.on('error', reject);
    answer.on('end', () => {
      const text = Buffer.concat(parts).toString('utf8');
      try {
        resolve({ status: answer.statusCode ?? 0, body: text === '' ? undefined : JSON.parse(text), text });
      } catch (cause) {
        reject(new Error(`the answer to ${method} ${path} is not JSON`, { cause }));
      }
    });
  });
  call.setTimeout(timeoutMs, () => call.destroy(new Error(`no answer to ${method} ${path} within ${timeoutMs} ms`)));
  call.on('error', reject);
  call.end(content);
  return promise;
}
