import { fuzzRuns } from '../support/fuzz-runs.ts';

fuzzRuns(50);
