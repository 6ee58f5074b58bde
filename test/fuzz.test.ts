import { fuzzRuns } from './support/fuzz-runs.ts';

// the whole is test/soak/fuzz.soak.ts
fuzzRuns(1);
