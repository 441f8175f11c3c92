/** Counts are kept by minutes and hours since the Unix epoch: what is said of these, once. */

export const MINUTE_MS = 60_000;
export const HOUR_MINUTES = 60;
export const HOUR_MS = HOUR_MINUTES * MINUTE_MS;
export const DAY_HOURS = 24;

/** How long a minute is kept. */
export const KEPT_MINUTES = DAY_HOURS * HOUR_MINUTES;
/** Minutes of an instance that wait for a store that is away; the oldest go first. */
export const WAITING_MINUTES_MAX = 30;

/** Of a moment by the wall clock, in milliseconds. */
export function minuteOf(wallMs: number): number {
  return Math.floor(wallMs / MINUTE_MS);
}
