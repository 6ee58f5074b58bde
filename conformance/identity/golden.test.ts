import { testRecordedScenarios } from './golden-tests.ts';
import { isManual } from './recorded-parts.ts';

await testRecordedScenarios(isManual);
