import type { IncomingMessage, ServerResponse } from 'node:http';
import { causeChain, type Logger } from '../process/index.ts';
import { answer } from './answer.ts';
import { takeBody } from './body.ts';
import type { Call, Reply, ServiceApi } from './route.ts';
import { findRoute, methodOf, readTarget } from './router.ts';
import { internalError, ServiceError } from './service-error.ts';
import type { Uid } from './uid.ts';

/** Headers whose values never reach the log. */
const SECRET_HEADERS = new Set(['authorization', 'proxy-authorization', 'cookie']);

function headerText(headers: NodeJS.Dict<string | string[] | number>): string {
  let text = '';
  for (const name in headers) {
    const value = SECRET_HEADERS.has(name) ? '…' : String(headers[name]);
    text += `${text === '' ? '' : ','}${JSON.stringify(name)}:${JSON.stringify(value)}`;
  }
  return `{${text}}`;
}

/** The caller's presence; most handlers never ask for the signal, so it is made when they do. */
class HangUp {
  #controller: AbortController | undefined;
  #reason: Error | undefined;

  get happened(): boolean {
    return this.#reason !== undefined;
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#reason) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  tell(): void {
    this.#reason = new Error('the caller hung up');
    this.#controller?.abort(this.#reason);
  }
}

/** One request through all checks in their documented order to its reply (spec/transport.md 6). */
async function run(api: ServiceApi, request: IncomingMessage, uid: Uid, hangUp: HangUp): Promise<Reply> {
  const target = readTarget(api, request.url ?? '/');
  const { route, params } = findRoute(api, target);
  const verb = request.method ?? '';
  const method = methodOf(route, verb);
  let body: unknown;
  if (verb === 'POST' || verb === 'PUT' || verb === 'DELETE')
    body = await takeBody(verb, request, method, api.largestBodyBytes);
  if (!method) throw new ServiceError('method-not-allowed');
  const call: Call = {
    uid,
    params,
    query: target.query,
    version: target.version,
    body,
    get signal() {
      return hangUp.signal;
    },
  };
  return method.handle(call);
}

function logFailure(log: Logger, error: ServiceError): void {
  const level = error.status >= 500 ? 'error' : 'info';
  const lines =
    error.cause === undefined
      ? [error.message]
      : [error.message, ...causeChain(error.cause).map((text) => `caused by: ${text}`)];
  for (const line of lines.join('\n').split('\n')) log[level](`!!! ${line}`);
}

/** Runs one exchange to its end; never rejects. A fault of a handler costs its caller a 500, nobody else anything. */
export async function runExchange(
  api: ServiceApi,
  exchange: { readonly request: IncomingMessage; readonly response: ServerResponse; readonly uid: Uid },
  log: Logger,
): Promise<void> {
  const { request, response, uid } = exchange;
  const hangUp = new HangUp();
  response.on('close', () => {
    if (!response.writableFinished) hangUp.tell();
  });
  if (log.enabled('info')) log.info(`<-- ${request.method} ${request.url} ${headerText(request.headers)}`);
  let headers: Readonly<Record<string, string | number>>;
  try {
    const reply = await run(api, request, uid, hangUp);
    headers = answer(request, response, reply, { close: reply.status === 204 && api.closeAfterNoContent === true });
  } catch (error) {
    if (hangUp.happened) return;
    const known = error instanceof ServiceError ? error : internalError(error);
    logFailure(log, known);
    const { status, message, retryAfter } = known;
    const more = retryAfter === undefined ? {} : { headers: { 'retry-after': String(retryAfter) } };
    headers = answer(request, response, { status, body: { message }, ...more }, { close: !request.complete });
  }
  if (log.enabled('debug')) log.for('http').debug(`${request.method} ${request.url} of user ${uid}`);
  if (log.enabled('info')) log.info(`--> ${response.statusCode} ${headerText(headers)}`);
}
