import { HOUR_MS, KEPT_MINUTES, MINUTE_MS } from '../stats/times.ts';
import { KEPT_HOURS } from '../stats/usage/port.ts';
import type { Step } from '../stats/usage/read.ts';
import { STEP_MS } from '../stats/usage/read.ts';
import { invalid } from './error.ts';

/** A range of time as somebody asks for it. */
export interface AskedRange {
  /** Default: an hour before `until`. */
  readonly since?: string | undefined;
  /** Default: now. */
  readonly until?: string | undefined;
  /** Default: minutes where there are such, and at most six hours of them. */
  readonly step?: Step | undefined;
}

/** The same in steps: both ends included. */
export interface UsageSpan {
  readonly step: Step;
  readonly first: number;
  readonly last: number;
}

/** Longer ones are told by hours, unless somebody asks for minutes. */
const MINUTES_UNASKED_MS = 6 * HOUR_MS;
const MINUTES_MOST_MS = KEPT_MINUTES * MINUTE_MS;

/** Throws `AdminError` (`invalid`). What begins before anything is kept begins there. */
export function spanOf({ since, until, step }: AskedRange, nowMs: number): UsageSpan {
  const untilMs = Math.min(nowMs, until === undefined ? nowMs : Date.parse(until));
  const oldestMs = nowMs - KEPT_HOURS * HOUR_MS;
  const sinceMs = Math.max(oldestMs, since === undefined ? untilMs - HOUR_MS : Date.parse(since));
  if (sinceMs >= untilMs)
    throw invalid([
      { field: 'since', message: 'must be before until, and within the last 90 days' },
    ]);
  const isRecent = sinceMs >= nowMs - MINUTES_MOST_MS - STEP_MS.minute;
  if (step === 'minute' && !isRecent)
    throw invalid([
      { field: 'step', message: 'minutes are kept for 24 hours: ask for hours, or for less' },
    ]);
  const chosen = step ?? (isRecent && untilMs - sinceMs <= MINUTES_UNASKED_MS ? 'minute' : 'hour');
  const stepMs = STEP_MS[chosen];
  // What ends on the stroke of a step does not hold the one that begins there.
  const last = Math.ceil(untilMs / stepMs) - 1;
  return { step: chosen, first: Math.min(last, Math.floor(sinceMs / stepMs)), last };
}

/**
 * Minutes of a longer time than somebody gets unasked: whoever asks for a list of these has whole
 * hours read as hours.
 */
export function isReadByHours({ step, first, last }: UsageSpan): boolean {
  return step === 'minute' && last - first > MINUTES_UNASKED_MS / STEP_MS.minute;
}

/** Moments between which a span lies. */
export function momentsOf({ step, first, last }: UsageSpan, nowMs: number) {
  const stepMs = STEP_MS[step];
  return {
    since: new Date(first * stepMs).toISOString(),
    until: new Date(Math.min(nowMs, (last + 1) * stepMs)).toISOString(),
    step,
  };
}
