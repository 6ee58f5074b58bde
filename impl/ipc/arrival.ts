import type { Reply } from './route.ts';

/** A reply, or an error on its way to the caller. */
export type Answer =
  | Reply
  | {
      readonly status: number;
      readonly body: { readonly message: string };
      readonly headers?: Readonly<Record<string, string>>;
    };

/** A request whose head has been read, and the way back; the same for every way in which it may have come. */
export interface Arrival {
  readonly method: string;
  /** The request target as it was sent. */
  readonly target: string;
  /** Its headers as JSON, without the values of the secret ones; for the log. */
  readonly headerText: string;
  /** `checked`: neither target nor headers, of the request and of its answer, can hold a control character. */
  readonly text: 'checked' | undefined;
  /** Value of `content-type`. */
  readonly contentType: string | undefined;
  /** False while a part of the body has not come. */
  readonly complete: boolean;
  /** The whole body, at hand or when it has come. Throws or rejects with the 400, 408 or 413 of the table; the connection is then to be closed. */
  body(limitBytes: number): Buffer | Promise<Buffer>;
  /** Sends the answer: head and body in one write, the head below 512 bytes (spec/keys-service.md 3.1). Returns its headers for the log. */
  send(answer: Answer, options: { readonly close: boolean }): string;
}

/** Headers whose values never reach the log. */
export const SECRET_HEADERS: ReadonlySet<string> = new Set(['authorization', 'proxy-authorization', 'cookie']);
