import type { Method, Route, ServiceApi } from './route.ts';
import { ServiceError } from './service-error.ts';

/** A request target with the route that serves it. */
export interface Found {
  readonly route: Route;
  /** Percent-decoded captures of the route's path. */
  readonly params: readonly string[];
  /** Without `api-version`; shared by the requests with this query, so never to be changed. */
  readonly query: URLSearchParams;
  readonly version: string;
}

/** Targets that are remembered, each of at most this many characters. */
const MOST_REMEMBERED = 256;
const LONGEST_REMEMBERED = 512;

/** A request target, taken apart as far as it can be before a route is known. */
interface Target {
  readonly path: string;
  readonly version: string;
  readonly query: URLSearchParams;
}

/** The value in double quotes with escapes, as the reference prints it. */
function quoted(value: string): string {
  return JSON.stringify(value);
}

/** Origin-form or absolute-form target to raw path and query. */
function split(target: string): { path: string; search: string } {
  const origin = target.startsWith('/') ? null : /^https?:\/\/[^/?#]*/i.exec(target);
  const rest = origin ? target.slice(origin[0].length) : target;
  const mark = rest.indexOf('?');
  const path = mark < 0 ? rest : rest.slice(0, mark);
  return { path: path === '' ? '/' : path, search: mark < 0 ? '' : rest.slice(mark + 1) };
}

/**
 * Takes `api-version` (exact name, last occurrence) out of the query and checks it before anything else
 * (spec/transport.md 6, steps 1 to 3). Throws the 400 of the table.
 */
function readQuery(api: ServiceApi, search: string): Pick<Target, 'version' | 'query'> {
  const query = new URLSearchParams(search);
  const version = query.getAll('api-version').at(-1);
  if (version === undefined) throw new ServiceError('version-missing');
  if (!api.versions.includes(version)) {
    throw new ServiceError('version-unknown', { parameters: { value: quoted(version) } });
  }
  query.delete('api-version');
  return { version, query };
}

/** A `%` that starts no escape stands for itself, as in the reference; what is not UTF-8 fits no route. */
function decodeCaptures(captures: readonly (string | undefined)[]): string[] | undefined {
  try {
    return captures.map((capture = '') =>
      capture.includes('%') ? decodeURIComponent(capture.replace(/%(?![0-9A-Fa-f]{2})/g, '%25')) : capture,
    );
  } catch {
    return undefined;
  }
}

/** The route and its decoded captures for a path in a version; throws 404 where none fits (also a path of a newer version). */
function findRoute(api: ServiceApi, target: Target): { route: Route; params: readonly string[] } {
  const position = api.versions.indexOf(target.version);
  for (const route of api.routes) {
    if (route.since !== undefined && api.versions.indexOf(route.since) > position) continue;
    const match = route.path.exec(target.path);
    if (!match) continue;
    const params = decodeCaptures(match.slice(1));
    if (params) return { route, params };
  }
  throw new ServiceError('not-found');
}

/** Finds the routes of one API; what the same target, or the same query of another, meant before is not found out again. */
export class RouteFinder {
  readonly #api: ServiceApi;
  readonly #found = new Map<string, Found>();
  readonly #queries = new Map<string, Pick<Target, 'version' | 'query'>>();

  constructor(api: ServiceApi) {
    this.#api = api;
  }

  /** Throws the 400 or 404 of the table, in the order of spec/transport.md 6. */
  find(text: string): Found {
    const known = this.#found.get(text);
    if (known) return known;
    const { path, search } = split(text);
    const { version, query } = this.#query(search);
    const found = { ...findRoute(this.#api, { path, version, query }), query, version };
    // a path with captures is one of very many; to keep it costs more than to read it
    if (found.params.length === 0) remember(this.#found, text, found);
    return found;
  }

  #query(search: string): Pick<Target, 'version' | 'query'> {
    const known = this.#queries.get(search);
    if (known) return known;
    const read = readQuery(this.#api, search);
    remember(this.#queries, search, read);
    return read;
  }
}

function remember<T>(known: Map<string, T>, text: string, meaning: T): void {
  if (text.length > LONGEST_REMEMBERED) return;
  if (known.size >= MOST_REMEMBERED) known.clear();
  known.set(text, meaning);
}

/** The method of a route, by its HTTP name. */
export function methodOf(route: Route, verb: string): Method | undefined {
  return Object.hasOwn(route.methods, verb) ? route.methods[verb as keyof Route['methods']] : undefined;
}
