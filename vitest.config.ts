import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.ts';
import { CountsReporter } from './test/support/reporter.ts';

/**
 * One configuration for every ring; the folders given on the command line (test/run.ts) choose the
 * ring. Two workers at most: each test file brings real servers of its own, and a crowded machine
 * makes slow ones look broken.
 */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    // Reached only by what hangs, however slow the machine is.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 30_000, interval: 20 } },
    teardownTimeout: 10_000,
    reporters: ['default', new CountsReporter()],
  },
});
