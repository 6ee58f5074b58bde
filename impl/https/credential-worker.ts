import { parentPort } from 'node:worker_threads';
import { causeChain } from '../process/index.ts';
import { runExchange } from './exchange.ts';
import { HttpsError } from './https-error.ts';
import type { FromWorker, ToWorker } from './worker-messages.ts';

/**
 * The thread on which requests with a client credential run: OpenSSL calls keyd from inside the handshake and blocks its thread
 * meanwhile (docs/decisions/tls-client-thread.md).
 */
const running = new Map<number, AbortController>();
const port = parentPort;
const answer = (message: FromWorker) => port?.postMessage(message);

async function run(message: Extract<ToWorker, { type: 'send' }>): Promise<void> {
  const controller = new AbortController();
  running.set(message.id, controller);
  try {
    const response = await runExchange(message.request, message.credential, controller.signal);
    answer({ type: 'answer', id: message.id, response });
  } catch (error) {
    const kind = error instanceof HttpsError ? error.kind : 'closed';
    answer({ type: 'failed', id: message.id, kind, texts: causeChain(error) });
  } finally {
    running.delete(message.id);
  }
}

port?.on('message', (message: ToWorker) => {
  if (message.type === 'abort') running.get(message.id)?.abort();
  else void run(message);
});
