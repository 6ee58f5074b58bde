import { expect, test, vi } from 'vitest';
import { runYears } from '../support/certificate-years.ts';

vi.mock('node:fs/promises', async (original) => {
  const { cutModule } = await import('../support/power-cut.ts');
  return cutModule(await original());
});

test.each([1, 2, 3])('a year of two-day certificates, outages and power cuts, seed %i', async (seed) => {
  const report = await runYears({ seed, days: 365 });
  expect(report).toMatchObject({ missed: [], lost: [] });
  expect(report.powerCuts).toBeGreaterThan(100);
  expect(report.issued).toBeGreaterThan(150);
});
