import { writeSync } from 'node:fs';
import type { Reporter, TestModule, TestRunEndReason } from 'vitest/node';

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/**
 * Ends the output with `N passed, N failed, N skipped`, and decides what counts:
 * - a file that cannot be imported, a failed hook and an error that no test caught are failures of their own;
 * - a test that was never run is a failure, not a skip;
 * - a run that executed no test at all is a failure: nothing was shown;
 * - what was skipped is listed with its reason, so that nobody takes it for passed.
 *
 * The line is written while the process exits, after everything else that writes to the output.
 */
export class CountsReporter implements Reporter {
  /** Stands until a run has ended: a runner that dies, or finds no test file, has failed. */
  #counts: Counts = { passed: 0, failed: 1, skipped: 0 };
  readonly #reasons = new Map<string, number>();

  /** Not in the constructor: whoever only reads the configuration runs nothing, and has nothing to count. */
  onInit(): void {
    process.once('exit', () => this.#write());
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[], reason: TestRunEndReason): void {
    this.#counts = { passed: 0, failed: unhandled.length, skipped: 0 };
    this.#reasons.clear();
    for (const module of modules) this.#countModule(module);
    const executed = this.#counts.passed + this.#counts.failed;
    if (executed === 0 || (reason !== 'passed' && this.#counts.failed === 0)) this.#counts.failed++;
  }

  #countModule(module: TestModule): void {
    if (module.errors().length > 0) this.#counts.failed++;
    for (const suite of module.children.allSuites()) {
      if (suite.errors().length > 0) this.#counts.failed++;
    }
    for (const test of module.children.allTests()) {
      const result = test.result();
      if (result.state === 'passed') this.#counts.passed++;
      else if (result.state === 'skipped') this.#countSkip(result.note ?? 'no reason given');
      else this.#counts.failed++;
    }
  }

  #countSkip(reason: string): void {
    this.#counts.skipped++;
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
  }

  #write(): void {
    const { passed, failed, skipped } = this.#counts;
    const lines = [...this.#reasons].map(([reason, count]) => `skipped ${count}: ${reason}\n`);
    if (failed > 0) process.exitCode = 1;
    try {
      writeSync(1, `${lines.join('')}${passed} passed, ${failed} failed, ${skipped} skipped\n`);
    } catch {
      // Nobody reads the output any more (`| head`): the exit code still says it.
    }
  }
}
