/**
 * Replies by which a server says that it is the wrong one: a replica, where changes are made. A
 * name, a balancer or a Service leads to another server after a failover, but not the connection
 * that stands: it lives, and is of no use.
 */
const WRONG_SERVER: ReadonlySet<string> = new Set([
  'READONLY',
  'MASTERDOWN',
  'UNBLOCKED',
  // It wants to know who we are, and was not told.
  'NOAUTH',
]);

/**
 * Between two connections that were given up: a replica without a primary stays one for a while.
 */
const PAUSE_MS = 1_000;
/** A server that loads its data for longer may have been replaced meanwhile. */
const LOADING_MS = 5_000;

/** Tells by its replies when a connection is to be ended and made anew. */
export class UselessConnection {
  readonly #nowMs: () => number;
  #endedAtMs = Number.NEGATIVE_INFINITY;
  #loadingSinceMs: number | null = null;

  /** @param nowMs a monotonic clock */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** @param code of an error reply */
  isAfter(code: string | null): boolean {
    const nowMs = this.#nowMs();
    if (code === 'LOADING') {
      this.#loadingSinceMs ??= nowMs;
      if (nowMs - this.#loadingSinceMs < LOADING_MS) return false;
    } else if (code === null || !WRONG_SERVER.has(code)) {
      return false;
    }
    if (nowMs - this.#endedAtMs < PAUSE_MS) return false;
    this.#endedAtMs = nowMs;
    this.#loadingSinceMs = null;
    return true;
  }
}
