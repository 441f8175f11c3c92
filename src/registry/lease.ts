/**
 * How long an instance may answer from its cache without proof that it is up to date.
 *
 * A renewal says: "at some moment after you sent this, the store that accepts changes stood at `seq`". It is worth something only once the reader has
 * applied everything up to that `seq`, and it is worth it from the moment of sending, the only one that surely came before the store's answer.
 * All times are monotonic milliseconds.
 */
export class Lease {
  readonly leaseMs: number;
  #endMs = Number.NEGATIVE_INFINITY;
  /** A renewal whose changes are not all applied yet. */
  #waiting: { readonly sentMs: number; readonly seq: number } | null = null;

  constructor(leaseMs: number) {
    this.leaseMs = leaseMs;
  }

  valid(nowMs: number): boolean {
    return nowMs < this.#endMs;
  }

  /** 0 when it has run out. */
  remainingMs(nowMs: number): number {
    return Math.max(0, this.#endMs - nowMs);
  }

  /** A renewal was answered. Answers may arrive out of order: none shortens what another has given. */
  renewed(sentMs: number, seq: number, appliedSeq: number): void {
    if (seq <= appliedSeq) this.#extend(sentMs);
    // The earlier one is kept: it needs less to be applied, and a stream of changes must not put the lease off for ever.
    else this.#waiting ??= { sentMs, seq };
  }

  /** The reader has applied everything up to `seq`. */
  applied(seq: number): void {
    if (this.#waiting === null || seq < this.#waiting.seq) return;
    this.#extend(this.#waiting.sentMs);
    this.#waiting = null;
  }

  /** Nothing learned before counts any more. */
  clear(): void {
    this.#endMs = Number.NEGATIVE_INFINITY;
    this.#waiting = null;
  }

  #extend(sentMs: number): void {
    this.#endMs = Math.max(this.#endMs, sentMs + this.leaseMs);
  }
}
