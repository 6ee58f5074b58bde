import { testGroups } from '../testing/index.ts';
import { goldenEstWire } from './golden-est-wire.ts';

testGroups([goldenEstWire], ({ id }) => id);
