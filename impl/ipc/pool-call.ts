import type { Dispatcher, Pool } from 'undici';

/** An answer as it came. */
export interface PoolAnswer {
  readonly status: number;
  readonly contentType: string | undefined;
  /** The body as UTF-8. */
  readonly text: string;
}

/** What ends a call early. */
export interface CallLimits {
  readonly timeoutMs: number;
  readonly largestBytes: number;
  readonly signal: AbortSignal | undefined;
}

/** Raised for an answer longer than the limit. */
export class AnswerTooLong extends Error {
  override readonly name = 'AnswerTooLong';
}

/**
 * One call over a pool, by its handler interface: the streams and abort signals of its `request` cost more than all else of a small call.
 * Rejects with the signal's reason, a DOMException `TimeoutError`, {@link AnswerTooLong}, or the error of the pool.
 */
export function callOver(
  pool: Pool,
  options: Dispatcher.DispatchOptions,
  { timeoutMs, largestBytes, signal }: CallLimits,
): Promise<PoolAnswer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let status = 0;
    let contentType: string | undefined;
    let controller: Dispatcher.DispatchController | undefined;
    let over: Error | undefined;

    const settle = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    const end = (error: Error) => {
      if (over) return;
      over = error;
      settle();
      reject(error);
      controller?.abort(error);
    };
    const onAbort = () => end(signal?.reason as Error);
    const onLate = () => end(new DOMException('the limit of the call has passed', 'TimeoutError'));
    const timer = setTimeout(onLate, timeoutMs);
    if (signal?.aborted) return onAbort();
    signal?.addEventListener('abort', onAbort);

    pool.dispatch(options, {
      onRequestStart(started) {
        controller = started;
        if (over) started.abort(over);
      },
      onResponseStart(_, statusCode, headers) {
        // what came before a 1xx is not the answer
        status = statusCode;
        const type = headers['content-type'];
        contentType = typeof type === 'string' ? type : undefined;
      },
      onResponseData(_, chunk) {
        size += chunk.length;
        if (size > largestBytes) end(new AnswerTooLong(`answer of more than ${largestBytes} bytes`));
        else chunks.push(chunk);
      },
      onResponseEnd() {
        if (over) return;
        settle();
        resolve({ status, contentType, text: text(chunks) });
      },
      onResponseError: (_, error) => end(error),
    });
  });
}

function text([first, ...more]: readonly Buffer[]): string {
  if (!first) return '';
  return (more.length === 0 ? first : Buffer.concat([first, ...more])).toString('utf8');
}
