import type { ConsoleContext } from './guard.ts';
import { type Html, html } from './html.ts';

/** A range of time that somebody may choose by a word. */
export interface Preset {
  readonly value: string;
  readonly words: string;
  readonly minutes: number;
}

/** What part of the time is looked at. */
export interface Looked {
  readonly sinceMs: number;
  readonly untilMs: number;
  /** Null: a part that was chosen in a chart, or by its ends. */
  readonly preset: Preset | null;
}

const MINUTE_MS = 60_000;
const LEAST_MS = 2 * MINUTE_MS;

/** By `range`, or by `since` and `until`; what makes no sense is the first of the presets. */
export function lookedAt(
  c: ConsoleContext,
  presets: readonly [Preset, ...Preset[]],
  nowMs: number,
): Looked {
  const keptMs = Math.max(...presets.map(({ minutes }) => minutes)) * MINUTE_MS;
  const [since, until] = ['since', 'until'].map((name) => Date.parse(c.req.query(name) ?? ''));
  const untilMs = Math.min(nowMs, until!);
  const sinceMs = Math.max(nowMs - keptMs, since!);
  if (untilMs - sinceMs >= LEAST_MS) return { sinceMs, untilMs, preset: null };
  const preset = presets.find(({ value }) => value === c.req.query('range')) ?? presets[0];
  return { sinceMs: nowMs - preset.minutes * MINUTE_MS, untilMs: nowMs, preset };
}

/** Words to choose from, and the ways on from a part that was chosen: without a script too. */
export function rangeLinks(
  base: string,
  presets: readonly Preset[],
  { sinceMs, untilMs, preset }: Looked,
): Html {
  const lengthMs = untilMs - sinceMs;
  const part = (fromMs: number, toMs: number) =>
    `${base}since=${new Date(fromMs).toISOString()}&until=${new Date(toMs).toISOString()}`;
  const ways: readonly (readonly [words: string, href: string])[] = [
    ['Earlier', part(sinceMs - lengthMs, untilMs - lengthMs)],
    ['Later', part(sinceMs + lengthMs, untilMs + lengthMs)],
    ['Closer', part(sinceMs + lengthMs / 4, untilMs - lengthMs / 4)],
    ['Wider', part(sinceMs - lengthMs / 2, untilMs + lengthMs / 2)],
  ];
  return html`<nav class="ranges" aria-label="Time range">${presets.map(
    ({ value, words }) =>
      html`<a href="${base}range=${value}"${value === preset?.value ? html` aria-current="true"` : ''}>${words}</a>`,
  )}</nav>${
    preset === null
      ? html`<nav class="ranges" aria-label="Part of the time"><span>${spanText(sinceMs, untilMs)}</span>${ways.map(([words, href]) => html`<a href="${href}">${words}</a>`)}</nav>`
      : ''
  }`;
}

/** `2026-11-29 07:15 to 08:15 UTC` */
function spanText(sinceMs: number, untilMs: number): string {
  const [since, until] = [sinceMs, untilMs].map((ms) =>
    new Date(ms).toISOString().slice(0, 16).replace('T', ' '),
  ) as [string, string];
  const sameDay = since.slice(0, 10) === until.slice(0, 10);
  return `${since} to ${sameDay ? until.slice(11) : until} UTC`;
}

/** A day, and the parts of hours at its ends. */
const TIME_OF_DAY_MS = 26 * 60 * MINUTE_MS;

/** Beginnings of bins: by the time of day where a day or less is looked at, else with the date. */
export function labelsOf(startsMs: readonly number[], lengthMs: number): readonly string[] {
  const isLong = lengthMs > TIME_OF_DAY_MS;
  return startsMs.map((ms) => {
    const iso = new Date(ms).toISOString();
    return isLong ? `${iso.slice(5, 10)} ${iso.slice(11, 16)}` : iso.slice(11, 16);
  });
}
