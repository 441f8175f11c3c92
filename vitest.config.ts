import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.ts';
import { CountsReporter } from './test/support/reporter.ts';

const UNIT = 'test/unit/**/*.test.ts';
const OTHERS = ['test/!(unit)/**/*.test.ts', 'test/*.test.ts'];
/** Tests of one room that need a process of their own: they count on what is the process's. */
const ALONE = [
  'test/unit/account/password.test.ts',
  'test/unit/admin/in-turns.test.ts',
  'test/unit/http/field-names.test.ts',
];

/**
 * One configuration for every ring; the folders given on the command line (test/run.ts) choose the
 * ring. Two workers, or three where a ring mostly waits: each test file brings real servers of its
 * own, and a crowded machine makes slow ones look broken. Files of `unit` share the process of a
 * worker, as most of them take less time than a process takes to begin.
 */
export default defineConfig({
  test: {
    projects: [
      { extends: true, test: { name: 'unit', include: [UNIT], exclude: ALONE, isolate: false } },
      { extends: true, test: { name: 'rings', include: [...OTHERS, ...ALONE] } },
    ],
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
