import { parentPort } from 'node:worker_threads';
import { type CensusOrder, lookAtFiles } from './census-look.ts';

// The thread of KeyCensus: it may block, for nobody else runs on it.
parentPort?.on('message', (order: CensusOrder) => parentPort?.postMessage(lookAtFiles(order)));
