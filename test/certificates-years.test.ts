import { expect, test, vi } from 'vitest';
import { runYears } from './support/certificate-years.ts';

vi.mock('node:fs/promises', async (original) => {
  const { cutModule } = await import('./support/power-cut.ts');
  return cutModule(await original());
});

test('RN-031 RN-035 RN-036 twenty-four days of two-day certificates, outages and power cuts cost no identity and no deadline', async () => {
  const report = await runYears({ seed: 7, days: 24 });
  expect(report).toMatchObject({ missed: [], lost: [] });
  expect(report.powerCuts).toBeGreaterThan(5);
  expect(report.issued).toBeGreaterThan(5);
});
