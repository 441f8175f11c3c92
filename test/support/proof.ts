/** Steps and checks of a proof, told line by line with the seconds that each took, and counted. */
export class Proof {
  readonly counts = { passed: 0, failed: 0, skipped: 0 };

  /** What has to be done, and shows nothing by itself. */
  async step<T>(what: string, work: () => Promise<T>): Promise<T> {
    const begin = performance.now();
    const result = await work();
    say('..', what, begin);
    return result;
  }

  /** What is to be shown. A failure is told, and the next check goes on. */
  async judge(what: string, check: () => Promise<unknown>): Promise<void> {
    const begin = performance.now();
    try {
      await check();
      this.counts.passed += 1;
      say('ok', what, begin);
    } catch (error) {
      this.counts.failed += 1;
      say('FAILED', what, begin);
      console.error(error instanceof Error ? error.message : error);
    }
  }

  skip(what: string, why: string): void {
    this.counts.skipped += 1;
    console.log(`skipped: ${what} (${why})`);
  }

  /** The last line, and the exit code. */
  end(): void {
    const { passed, failed, skipped } = this.counts;
    console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
    process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
  }
}

function say(mark: string, what: string, begin: number): void {
  const seconds = ((performance.now() - begin) / 1000).toFixed(1).padStart(5);
  console.log(`${mark.padEnd(6)} ${seconds} s  ${what}`);
}
