export { startKeyd } from './daemon.ts';
