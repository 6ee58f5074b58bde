export { goldenEstWire } from './golden-est-wire.ts';
