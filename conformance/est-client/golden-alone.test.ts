import { testBesideEachOther } from '../testing/index.ts';
import { goldenEstWire, isAlone } from './golden-est-wire.ts';

const { name, requirements } = goldenEstWire;
testBesideEachOther(
  name,
  requirements.filter(({ id }) => isAlone(id)),
);
