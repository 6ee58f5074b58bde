export { startCertd } from './start.ts';
