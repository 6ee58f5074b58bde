export { htmlReport, type ReportedRun } from './html.ts';
export { junitReport } from './junit.ts';
export { requirementsPage } from './page.ts';
export { loadRecord, type RunRecord } from './run-record.ts';
export { tapReport } from './tap.ts';
