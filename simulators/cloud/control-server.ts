import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CloudParts } from './cloud-parts.ts';
import { control } from './control-routes.ts';

const LARGEST_BODY_BYTES = 1 << 20;

async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += String(chunk);
    if (text.length > LARGEST_BODY_BYTES) throw new Error('the body is larger than 1 MiB');
  }
  if (text === '') return {};
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error('the body is no JSON object');
  return { ...value };
}

async function serve(parts: CloudParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const send = (status: number, value: object) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  try {
    const segments = (request.url ?? '/').slice(1).split('/').map(decodeURIComponent);
    const answer = await control(parts, { method: request.method ?? '', segments, body: await readJson(request) });
    if (answer === undefined) send(404, { message: `nothing at ${request.method} ${request.url}` });
    else send(200, answer);
  } catch (error) {
    send(400, { message: error instanceof Error ? error.message : String(error) });
  }
}

/** The control API of a simulated cloud, on loopback only: it has no credentials, as the cloud behind it is a TEST one. */
export async function startControl(parts: CloudParts): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => void serve(parts, request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
