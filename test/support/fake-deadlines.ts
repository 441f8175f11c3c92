import type { Deadlines, Watched } from '../../src/deadlines.ts';

/** Time that stands still until the test lets it go on. */
export class FakeDeadlines {
  nowMs = 0;
  readonly #watched = new Map<Watched, { untilMs: number; end(): void }>();

  watch(watched: Watched, untilMs: number) {
    const deadline = { untilMs, end: () => void this.#watched.delete(watched) };
    this.#watched.set(watched, deadline);
    return deadline;
  }

  pass(ms: number): void {
    this.nowMs += ms;
    for (const [watched, deadline] of [...this.#watched]) {
      if (deadline.untilMs > this.nowMs) continue;
      deadline.untilMs = Number.POSITIVE_INFINITY;
      watched.expired();
    }
  }

  get size(): number {
    return this.#watched.size;
  }

  /** For who wants the real ones. */
  get asDeadlines(): Deadlines {
    return this as unknown as Deadlines;
  }
}
