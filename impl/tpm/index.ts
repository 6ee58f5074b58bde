export { startTpmd } from './daemon.ts';
