import { writeSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule, TestRunEndReason, Vitest } from 'vitest/node';
import { failure, failuresOf, underWay } from './failures.ts';

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/**
 * Ends the output with `N passed, N failed, N skipped`, and decides what counts:
 * - a file that cannot be imported, a failed hook and an error that no test caught are failures of
 *   their own;
 * - a test that was never run is a failure, not a skip;
 * - a run that executed no test at all is a failure: nothing was shown;
 * - what was skipped is listed with its reason, so that nobody takes it for passed;
 * - what failed is named once more in lines that begin with `FAILED`, which `.ci/run` collects for
 *   its own end.
 *
 * All this is written while the process exits, after everything else that writes to the output;
 * also when it is stopped because it takes too long, and then with the files that were under way.
 */
export class CountsReporter implements Reporter {
  #root = '';
  #ended = false;
  #written = false;
  readonly #counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  readonly #reasons = new Map<string, number>();
  readonly #failures: string[][] = [];
  readonly #underWay = new Set<TestModule>();

  /**
   * Not in the constructor: whoever only reads the configuration runs nothing, and has nothing to
   * count.
   */
  onInit({ config }: Vitest): void {
    this.#root = config.root;
    process.once('exit', () => this.#write());
    // Whoever stops a run that takes too long wants to know what it was at.
    process.once('SIGTERM', () => {
      this.#write();
      process.kill(process.pid, 'SIGTERM');
    });
  }

  onTestModuleStart(module: TestModule): void {
    this.#underWay.add(module);
  }

  onTestModuleEnd(module: TestModule): void {
    this.#underWay.delete(module);
    this.#countModule(module);
  }

  onTestRunEnd(
    modules: readonly TestModule[],
    unhandled: readonly SerializedError[],
    reason: TestRunEndReason,
  ): void {
    this.#ended = true;
    this.#restart();
    for (const module of modules) this.#countModule(module);
    for (const fault of unhandled) this.#fail(failure('outside of every test', fault, this.#root));
    const executed = this.#counts.passed + this.#counts.failed;
    if (executed === 0) this.#fail(failure('no test was executed', undefined, this.#root));
    else if (reason !== 'passed' && this.#counts.failed === 0)
      this.#fail(failure(`the run: ${reason}`, undefined, this.#root));
  }

  #restart(): void {
    Object.assign(this.#counts, { passed: 0, failed: 0, skipped: 0 });
    this.#reasons.clear();
    this.#failures.length = 0;
  }

  #fail(lines: string[]): void {
    this.#counts.failed++;
    this.#failures.push(lines);
  }

  #countModule(module: TestModule): void {
    for (const lines of failuresOf(module, this.#root)) this.#fail(lines);
    for (const test of module.children.allTests()) {
      const result = test.result();
      if (result.state === 'passed') this.#counts.passed++;
      else if (result.state === 'skipped') this.#countSkip(result.note ?? 'no reason given');
    }
  }

  #countSkip(reason: string): void {
    this.#counts.skipped++;
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
  }

  #write(): void {
    if (this.#written) return;
    this.#written = true;
    // A runner that dies, or finds no test file, has failed.
    if (!this.#ended) this.#failUnended();
    const { passed, failed, skipped } = this.#counts;
    const skips = [...this.#reasons].map(([reason, count]) => `skipped ${count}: ${reason}`);
    const lines = [
      ...this.#failures.flat(),
      ...skips,
      `${passed} passed, ${failed} failed, ${skipped} skipped\n`,
    ];
    if (failed > 0) process.exitCode = 1;
    try {
      writeSync(1, lines.join('\n'));
    } catch {
      // Nobody reads the output any more (`| head`): the exit code still says it.
    }
  }

  #failUnended(): void {
    this.#fail(failure('the run did not come to its end', undefined, this.#root));
    for (const module of this.#underWay) this.#failures.push(...underWay(module, this.#root));
  }
}
