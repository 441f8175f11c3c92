/**
 * How much a client may ask for that leads to nothing: resets, pings, settings, empty frames,
 * streams that are refused or break the protocol. Each is cheap, and whoever sends nothing else
 * keeps a processor busy (CVE-2023-44487, CVE-2024-27316, CVE-2025-8671). An honest client needs
 * few of them.
 */

/** Marks of a client that has been calm, and at most. */
const BURST = 1000;
/** So many come back each second. */
const PER_SECOND = 50;

export const COST = {
  /** A stream that its client takes back, or that breaks the protocol and is reset by us. */
  reset: 1,
  /** PING, SETTINGS, PRIORITY, CONTINUATION, GOAWAY, empty DATA, a frame of an unknown kind. */
  control: 1,
  /** There are some with each download. */
  windowUpdate: 0.1,
} as const;
/** A frame of content that was sent earns more than the WINDOW_UPDATEs for it cost. */
const EARNED_BY_DATA = 0.5;

export class CalmBudget {
  #left = BURST;
  #atMs: number;

  /** @param nowMs monotonic, as in all that follows */
  constructor(nowMs: number) {
    this.#atMs = nowMs;
  }

  /** @returns false when there is no patience left */
  spend(cost: number, nowMs: number): boolean {
    this.#left = Math.min(BURST, this.#left + ((nowMs - this.#atMs) * PER_SECOND) / 1000);
    this.#atMs = nowMs;
    this.#left -= cost;
    return this.#left >= 0;
  }

  /** We have asked for something that may cost so much. */
  allow(cost: number): void {
    this.#left = Math.min(BURST, this.#left + cost);
  }

  /** Content was sent, which it takes. */
  earn(): void {
    this.#left = Math.min(BURST, this.#left + EARNED_BY_DATA);
  }
}
