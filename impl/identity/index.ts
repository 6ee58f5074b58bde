export { startIdentityd } from './start.ts';
