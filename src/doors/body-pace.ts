/** The slowest pace at which request bodies may come. */
export interface BodyPaceLimits {
  /** 0 = a body may come as slowly as it likes, silence within it apart. */
  readonly minBodyBytesPerSecond: number;
  /** How far behind that pace a body may fall, in milliseconds. */
  readonly bodyGraceMs: number;
}

/**
 * How long one request body may still keep everybody waiting. Each byte buys time at the slowest
 * permitted pace, and no more than the grace may be in hand: a fast beginning does not pay for a
 * long silence. Only time counts in which it is the client that is waited for.
 *
 * Times are those of `Deadlines.nowMs`.
 */
export class BodyPace {
  #graceMs = 0;
  #msPerByte = 0;
  #leftMs = 0;
  /** Until when, while the client is waited for; `Infinity` = it is not. */
  #untilMs = Number.POSITIVE_INFINITY;

  /** A body begins. */
  begin({ minBodyBytesPerSecond, bodyGraceMs }: BodyPaceLimits): void {
    this.#graceMs = minBodyBytesPerSecond === 0 ? Number.POSITIVE_INFINITY : bodyGraceMs;
    this.#msPerByte = minBodyBytesPerSecond === 0 ? 0 : 1000 / minBodyBytesPerSecond;
    this.#leftMs = this.#graceMs;
    this.#untilMs = Number.POSITIVE_INFINITY;
  }

  /** The client is waited for from now on, if it was not yet. @returns until when */
  wait(nowMs: number): number {
    if (this.#untilMs === Number.POSITIVE_INFINITY) this.#untilMs = nowMs + this.#leftMs;
    return this.#untilMs;
  }

  /** Somebody else is waited for. */
  pause(nowMs: number): void {
    if (this.#untilMs === Number.POSITIVE_INFINITY) return;
    this.#leftMs = Math.max(0, this.#untilMs - nowMs);
    this.#untilMs = Number.POSITIVE_INFINITY;
  }

  /** So many bytes of content came. */
  came(bytes: number, nowMs: number): void {
    const boughtMs = bytes * this.#msPerByte;
    if (this.#untilMs === Number.POSITIVE_INFINITY)
      this.#leftMs = Math.min(this.#graceMs, this.#leftMs + boughtMs);
    else this.#untilMs = Math.min(nowMs + this.#graceMs, this.#untilMs + boughtMs);
  }
}
