import { defineConfig } from 'vitest/config';

const common = { testTimeout: 30_000, hookTimeout: 60_000 };

export default defineConfig({
  test: {
    // the tests wait for other processes most of the time
    maxWorkers: 4,
    projects: [
      {
        test: {
          ...common,
          name: 'unit',
          include: ['impl/**/*.test.ts', 'simulators/**/*.test.ts', 'scripts/**/*.test.ts'],
          pool: 'forks',
        },
      },
      { test: { ...common, name: 'scenarios', include: ['test/**/*.test.ts'], pool: 'forks', testTimeout: 120_000 } },
      {
        test: {
          ...common,
          name: 'conformance',
          include: ['conformance/**/*.test.ts'],
          pool: 'forks',
          testTimeout: 120_000,
        },
      },
    ],
  },
});
