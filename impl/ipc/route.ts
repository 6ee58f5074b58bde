import type { Static, TSchema } from 'typebox';
import type { Uid } from './uid.ts';

/** One request after all checks of the transport (spec/transport.md 6), before authorisation. */
export interface Call<TBody = unknown> {
  /** Uid of the peer of this connection. */
  readonly uid: Uid;
  /** Percent-decoded captures of the route's path, in order. */
  readonly params: readonly string[];
  /** Query without `api-version`. */
  readonly query: URLSearchParams;
  readonly version: string;
  /** Parsed and shape-checked body; undefined where the method takes none or it was absent. */
  readonly body: TBody;
  /** Aborted when the caller hangs up. */
  readonly signal: AbortSignal;
}

/** What a handler answers. 204 carries no body. */
export type Reply =
  | { readonly status: 200 | 201; readonly body: unknown; readonly headers?: Readonly<Record<string, string>> }
  | { readonly status: 204 };

/** A method of a route: how its body is read, and what is done. */
export interface Method {
  /** `none`: ignored (GET) or only syntax-checked (DELETE, POST, PUT); `optional`: may be absent; `required`: else 400. */
  readonly body: 'none' | 'optional' | 'required';
  readonly schema: TSchema | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: the schema ties the type; see the functions below
  readonly handle: (call: Call<any>) => Promise<Reply>;
}

/** A path with its methods. Routes are tried in order; the first whose version and path fit decides. */
export interface Route {
  /** Matches the raw (undecoded) path as a whole: anchor it. Captures are percent-decoded; bad UTF-8 means no match. */
  readonly path: RegExp;
  /** First api-version that has this route; absent: all. Versions order as in {@link ServiceApi.versions}. */
  readonly since?: string;
  readonly methods: Partial<Record<'GET' | 'POST' | 'PUT' | 'DELETE', Method>>;
}

/** The HTTP face of one daemon. */
export interface ServiceApi {
  readonly name: 'keyd' | 'certd' | 'identityd' | 'tpmd';
  /** Known api-versions, oldest first. */
  readonly versions: readonly string[];
  readonly routes: readonly Route[];
  /** Answer 204 with `connection: close`, as the reference's blocking client needs (spec/keys-service.md 3.1). */
  readonly closeAfterNoContent?: boolean;
  /** Where the daemon's largest body is longer than the common limit. */
  readonly largestBodyBytes?: number;
}

/** A method that ignores its body. */
export function plain(handle: (call: Call<undefined>) => Promise<Reply>): Method {
  return { body: 'none', schema: undefined, handle };
}

/** A method that needs a JSON body of this shape: absent → 400 `missing request body`, wrong shape → 422. */
export function withBody<T extends TSchema>(schema: T, handle: (call: Call<Static<T>>) => Promise<Reply>): Method {
  return { body: 'required', schema, handle };
}

/** A method whose JSON body may be absent. */
export function withOptionalBody<T extends TSchema>(
  schema: T,
  handle: (call: Call<Static<T> | undefined>) => Promise<Reply>,
): Method {
  return { body: 'optional', schema, handle };
}
