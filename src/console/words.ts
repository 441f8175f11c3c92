import { countWords, plural } from '../admin/plural.ts';
import { type Html, html } from './html.ts';

export { countWords, plural };

/**
 * Times and amounts as people read them. Times are UTC: whoever compares two logs must not have to
 * compute.
 */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** `2026-11-24 07:19` */
function momentWords(iso: string): string {
  return iso.slice(0, 16).replace('T', ' ');
}

/** `2026-11-24 07:19:03` */
export function secondWords(iso: string): string {
  return iso.slice(0, 19).replace('T', ' ');
}

/** `2026-11-24 07:19:03.120` */
function exactWords(iso: string): string {
  return iso.replace('T', ' ').replace('Z', '');
}

/** Which zone times are shown in; the script says so where it shows them in another one. */
export function zone(): Html {
  return html`<span data-zone>UTC</span>`;
}

export function moment(iso: string): Html {
  return html`<time datetime="${iso}" title="${exactWords(iso)} UTC">${momentWords(iso)}</time>`;
}

/** `3 hours ago`, with the moment itself at hand. */
export function ago(iso: string, nowMs: number): Html {
  return html`<time datetime="${iso}" title="${exactWords(iso)} UTC">${agoWords(iso, nowMs)}</time>`;
}

export function agoWords(iso: string, nowMs: number): string {
  const ms = nowMs - Date.parse(iso);
  if (Number.isNaN(ms)) return iso;
  return Math.abs(ms) < MINUTE_MS
    ? 'just now'
    : ms > 0
      ? `${spanWords(ms)} ago`
      : `in ${spanWords(-ms)}`;
}

/** `5 minutes`, `3 hours`, `40 days`: the largest unit alone. */
export function spanWords(ms: number): string {
  if (ms < MINUTE_MS) return plural(Math.round(ms / 1000), 'second');
  if (ms < HOUR_MS) return plural(Math.floor(ms / MINUTE_MS), 'minute');
  if (ms < 2 * DAY_MS) return plural(Math.floor(ms / HOUR_MS), 'hour');
  return plural(Math.floor(ms / DAY_MS), 'day');
}

/** Milliseconds with as many digits as say something. */
export function msWords(ms: number): string {
  if (ms >= 10_000) return `${(ms / 1000).toFixed(0)} s`;
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return ms >= 10 ? `${ms.toFixed(0)} ms` : ms >= 1 ? `${ms.toFixed(1)} ms` : `${ms.toFixed(2)} ms`;
}

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

/** `1.2 MB`: powers of a thousand. */
export function bytesWords(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < BYTE_UNITS.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${value < 10 && unit > 0 ? value.toFixed(1) : value.toFixed(0)} ${BYTE_UNITS[unit]}`;
}

/** One pattern of a role in plain words. */
export function permissionWords(pattern: string): string {
  const own: Readonly<Record<string, string>> = {
    '*': 'do everything behind the gate',
    'sallyport:*': 'do everything in this console',
    'sallyport:registry:read': 'look at accounts, roles and teams',
    'sallyport:registry:write': 'manage accounts, roles and teams, up to their own rights',
    'sallyport:activity:read': 'read the activity log and the figures',
    'sallyport:instances:read': 'see the running gates',
  };
  const known = own[pattern];
  if (known !== undefined) return known;
  const words = pattern.split(':');
  const verb = words.pop() ?? '';
  const what = words.map((word) => (word === '*' ? '(any)' : word)).join(' ');
  return verb === '*' ? `do everything about ${what}` : `${verb} ${what}`;
}

/** What a list of patterns lets somebody do, as one sentence. */
export function permissionsWords(patterns: readonly string[]): string {
  if (patterns.length === 0) return 'Nothing: every call is refused';
  const words = patterns.map(permissionWords);
  const last = words.pop() ?? '';
  const text = words.length === 0 ? last : `${words.join(', ')} and ${last}`;
  return `May ${text}`;
}
