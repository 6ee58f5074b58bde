import { defineConfig } from 'vitest/config';

/** The long runs: one file after the other, so that each has the machine for itself. */
export default defineConfig({
  test: {
    name: 'soak',
    include: ['test/soak/**/*.soak.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 3_600_000,
    hookTimeout: 120_000,
    passWithNoTests: true,
  },
});
