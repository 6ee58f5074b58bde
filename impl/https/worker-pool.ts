import { Worker } from 'node:worker_threads';
import { HttpsError } from './https-error.ts';
import type { CredentialContext, HttpsRequest, HttpsResponse } from './request.ts';
import type { FromWorker, ToWorker } from './worker-messages.ts';

/** How long after its own deadline the worker may stay silent before it is given up; a key service that hangs blocks it. */
const GRACE_MS = 1000;

interface Pending {
  resolve(response: HttpsResponse): void;
  reject(error: HttpsError): void;
}

interface Crew {
  readonly worker: Worker;
  readonly pending: Map<number, Pending>;
}

let crew: Crew | undefined;
let lastId = 0;

/** The worker stands beside this file. */
const WORKER_FILE = new URL('./credential-worker.ts', import.meta.url);

function chained(texts: readonly string[]): Error | undefined {
  return texts.reduceRight<Error | undefined>((cause, text) => new Error(text, cause && { cause }), undefined);
}

function settle(pending: Map<number, Pending>, message: FromWorker): void {
  const entry = pending.get(message.id);
  pending.delete(message.id);
  if (message.type === 'answer') {
    entry?.resolve({ ...message.response, body: Buffer.from(message.response.body) });
  } else {
    const [first = 'request failed', ...causes] = message.texts;
    entry?.reject(new HttpsError(message.kind, first, chained(causes)));
  }
}

function dismiss(old: Crew, error: HttpsError): void {
  if (crew === old) crew = undefined;
  for (const entry of old.pending.values()) entry.reject(error);
  old.pending.clear();
  void old.worker.terminate();
}

function hire(): Crew {
  if (crew) return crew;
  const worker = new Worker(WORKER_FILE);
  const made: Crew = { worker, pending: new Map() };
  crew = made;
  worker.on('message', (message: FromWorker) => {
    settle(made.pending, message);
    if (made.pending.size === 0) worker.unref();
  });
  worker.on('error', (error) => dismiss(made, new HttpsError('closed', 'the TLS thread failed', error)));
  worker.on('exit', () => dismiss(made, new HttpsError('closed', 'the TLS thread ended')));
  return made;
}

/**
 * Runs one exchange on the TLS thread of this process, which is started on first use and kept. A thread that does not answer in
 * time (a signature that hangs in keyd) is given up with `client-credential`, and the next request gets a new one.
 */
export function runOnWorker(
  request: HttpsRequest,
  credential: CredentialContext,
  signal?: AbortSignal,
): Promise<HttpsResponse> {
  const current = hire();
  const id = ++lastId;
  return new Promise((resolve, reject) => {
    const post = (message: ToWorker) => current.worker.postMessage(message);
    const abort = () => post({ type: 'abort', id });
    const overdue = () =>
      dismiss(current, new HttpsError('client-credential', 'the key service did not sign the TLS handshake in time'));
    const watchdog = setTimeout(overdue, request.totalTimeoutMs + GRACE_MS);
    const finish = () => {
      clearTimeout(watchdog);
      signal?.removeEventListener('abort', abort);
    };
    current.pending.set(id, {
      resolve: (response) => {
        finish();
        resolve(response);
      },
      reject: (error) => {
        finish();
        reject(error);
      },
    });
    current.worker.ref();
    signal?.addEventListener('abort', abort, { once: true });
    post({ type: 'send', id, request, credential });
    if (signal?.aborted) abort();
  });
}
