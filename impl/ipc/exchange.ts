import { causeChain, type Logger } from '../process/index.ts';
import type { Arrival } from './arrival.ts';
import { bodyOf, readBody } from './body.ts';
import type { HangUp } from './hang-up.ts';
import type { Call, Reply, ServiceApi } from './route.ts';
import { methodOf, type RouteFinder } from './router.ts';
import { internalError, ServiceError } from './service-error.ts';
import type { Uid } from './uid.ts';

/** What every exchange of a socket needs. */
export interface Service {
  readonly api: ServiceApi;
  readonly finder: RouteFinder;
  readonly log: Logger;
}

/** A call whose signal is made when a handler asks for it. */
class CheckedCall implements Call {
  readonly uid: Uid;
  readonly params: readonly string[];
  readonly query: URLSearchParams;
  readonly version: string;
  readonly body: unknown;
  readonly #hangUp: HangUp;

  constructor({ uid, params, query, version, body }: Omit<Call, 'signal'>, hangUp: HangUp) {
    this.uid = uid;
    this.params = params;
    this.query = query;
    this.version = version;
    this.body = body;
    this.#hangUp = hangUp;
  }

  get signal(): AbortSignal {
    return this.#hangUp.signal;
  }
}

/** One request through all checks in their documented order to its reply (spec/transport.md 6). */
async function run({ api, finder }: Service, arrival: Arrival, uid: Uid, hangUp: HangUp): Promise<Reply> {
  const { route, params, query, version } = finder.find(arrival.target);
  const verb = arrival.method;
  const method = methodOf(route, verb);
  let body: unknown;
  if (verb === 'POST' || verb === 'PUT' || verb === 'DELETE') {
    const coming = bodyOf(verb, arrival, api.largestBodyBytes);
    const bytes = coming instanceof Promise ? await coming : coming;
    body = readBody(verb, bytes, arrival.contentType, method);
  }
  if (!method) throw new ServiceError('method-not-allowed');
  return await method.handle(new CheckedCall({ uid, params, query, version, body }, hangUp));
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
export async function runExchange(service: Service, arrival: Arrival, uid: Uid, hangUp: HangUp): Promise<void> {
  const { api, log } = service;
  const info = log.enabled('info');
  if (info) log.info(`<-- ${arrival.method} ${arrival.target} ${arrival.headerText}`, arrival.text);
  let status: number;
  let headers: string;
  try {
    const reply = await run(service, arrival, uid, hangUp);
    status = reply.status;
    headers = arrival.send(reply, { close: status === 204 && api.closeAfterNoContent === true });
  } catch (error) {
    if (hangUp.happened) return;
    const known = error instanceof ServiceError ? error : internalError(error);
    logFailure(log, known);
    status = known.status;
    const { message, retryAfter } = known;
    const more = retryAfter === undefined ? {} : { headers: { 'retry-after': String(retryAfter) } };
    headers = arrival.send({ status, body: { message }, ...more }, { close: !arrival.complete });
  }
  if (log.enabled('debug')) log.for('http').debug(`${arrival.method} ${arrival.target} of user ${uid}`);
  if (info) log.info(`--> ${status} ${headers}`, arrival.text);
}
