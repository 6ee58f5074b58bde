import { testGroups } from '../testing/index.ts';
import { goldenEstAlone } from './golden-est-wire.ts';

testGroups([goldenEstAlone], ({ id }) => id);
