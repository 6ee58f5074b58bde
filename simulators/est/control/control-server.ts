import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { EstSimulator } from '../est-simulator.ts';
import { readText } from './read-body.ts';
import { ControlRefusal } from './refusal.ts';
import { type ControlAnswer, ROUTES, type Route } from './routes.ts';

const LOOPBACK = '127.0.0.1';

/** A control API that is up. */
export interface EstControl {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  close(): Promise<void>;
}

const fits = ({ path }: Route, asked: string): boolean =>
  path.endsWith('/*') ? asked.startsWith(path.slice(0, -1)) && asked.length >= path.length : path === asked;

/** A page in a browser must not reach this: it can be told by its Origin, or by the name that it was led here by. */
function checkCaller({ headers }: IncomingMessage): void {
  if (headers.origin !== undefined) throw new ControlRefusal(403, 'web pages are not served here');
  const host = (headers.host ?? '').replace(/:\d+$/, '');
  if (host !== LOOPBACK && host !== 'localhost')
    throw new ControlRefusal(403, `this is ${LOOPBACK}, not ${JSON.stringify(host)}`);
}

async function answer(est: EstSimulator, request: IncomingMessage): Promise<ControlAnswer> {
  checkCaller(request);
  const target = new URL(request.url ?? '/', `http://${LOOPBACK}`);
  if (target.pathname === '/')
    return { status: 200, json: ROUTES.map(({ method, path, does }) => ({ method, path, does })) };
  const here = ROUTES.filter((route) => fits(route, target.pathname));
  if (here.length === 0) throw new ControlRefusal(404, `no ${target.pathname}; GET / lists what there is`);
  const route = here.find(({ method }) => method === request.method);
  if (!route) throw new ControlRefusal(405, `use ${here.map(({ method }) => method).join(' or ')}`);
  const name = route.path.endsWith('/*') ? decodeURIComponent(target.pathname.slice(route.path.length - 1)) : '';
  return route.run({ est, name, query: target.searchParams, text: await readText(request) });
}

function send(response: ServerResponse, answered: ControlAnswer): void {
  if ('bytes' in answered) {
    response.writeHead(answered.status, { 'content-type': answered.type });
    response.end(answered.bytes);
    return;
  }
  if (answered.json === undefined) {
    response.writeHead(answered.status);
    response.end();
    return;
  }
  response.writeHead(answered.status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(answered.json, undefined, 2)}\n`);
}

function refusalOf(error: unknown): ControlAnswer {
  const status = error instanceof ControlRefusal ? error.status : error instanceof URIError ? 400 : 500;
  return { status, json: { message: (error as Error).message } };
}

/**
 * Starts the control API of a server: HTTP and JSON, on loopback alone (docs/est-simulator.md).
 *
 * @param options port 0, the default, is any free one. @throws where the port is in use
 */
export async function startEstControl(
  est: EstSimulator,
  { port = 0 }: { readonly port?: number } = {},
): Promise<EstControl> {
  const server = createServer((request, response) => {
    answer(est, request)
      .catch(refusalOf)
      .then((answered) => send(response, answered))
      .catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, LOOPBACK, () => resolve());
  });
  return {
    url: `http://${LOOPBACK}:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
