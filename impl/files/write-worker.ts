import { parentPort } from 'node:worker_threads';
import { type FileWrite, writeBatch } from './write-batch.ts';

// The thread of WriteThread: it may block, for nobody else runs on it.
parentPort?.on('message', (writes: readonly FileWrite[]) => parentPort?.postMessage(writeBatch(writes)));
