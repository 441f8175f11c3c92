import { plural } from '../plural.ts';
import type { TrailWindow } from './port.ts';
import type { ReplayPart } from './replay.ts';
import type { Replay } from './replay-change.ts';

/** What was found, in the words of the command line and the console: one sentence each. */

/** `In the last 7 days it would have refused 214 calls of 3 accounts, and let in none …`. */
export function replayWords({ refuses, letsIn, window }: Replay, days: number): string {
  const span = `In the last ${plural(days, 'day').replace(/^1 /, '')}`;
  if (refuses.calls + letsIn.calls === 0)
    return `${span} the change would have made no difference to any of ${plural(window.calls, 'call')}.`;
  return `${span} it would have refused ${partWords(refuses)}, and let in ${partWords(letsIn)}.`;
}

function partWords({ calls, accounts }: ReplayPart): string {
  return calls === 0 ? 'none' : `${plural(calls, 'call')} of ${plural(accounts, 'account')}`;
}

/** How far that can be relied on: nothing where all was looked at and judged. */
export function replayLimits(replay: Replay): readonly string[] {
  const { window, notJudged, otherwise, movedRoutes, gone, routesKnown, refused } = replay;
  const told = (count: number, words: string) =>
    count === 0 ? [] : [`${plural(count, 'call')} ${words}`];
  return [
    ...refusedWords(refused),
    ...windowLimits(window),
    ...told(
      otherwise,
      'would be decided otherwise today than they were: records have changed since.',
    ),
    ...told(
      movedRoutes,
      'asked a route that is gone or asks for another permission today: judged by what they asked.',
    ),
    ...told(
      notJudged,
      'cannot be judged by the records: refused for something else than what roles say, only counted, or from where the change would look at.',
    ),
    ...told(gone, 'are of accounts that are deleted.'),
    ...(routesKnown
      ? []
      : ['The routes are not known here: each call is judged as its record reads.']),
  ];
}

const REFUSED_NAMED = 3;

function refusedWords(refused: Replay['refused']): readonly string[] {
  if (refused.length === 0) return [];
  const named = refused
    .slice(0, REFUSED_NAMED)
    .map(({ id, name, why }) => `${name ?? id} (${why})`)
    .join('; ');
  const more = refused.length - REFUSED_NAMED;
  return [
    `${plural(refused.length, 'account')} would be refused the change and stay as they are: ${named}${more > 0 ? ` and ${more} more` : ''}.`,
  ];
}

export function windowLimits(window: TrailWindow): readonly string[] {
  const { unreadable } = window;
  const unread =
    unreadable === 0
      ? []
      : [
          `${plural(unreadable, 'recorded decision')} cannot be read by this version: nothing is known of ${unreadable === 1 ? 'it' : 'them'}.`,
        ];
  return [...cutWords(window), ...unread];
}

function cutWords({ since, from, cutShort }: TrailWindow): readonly string[] {
  const at = `${from.slice(0, 16).replace('T', ' ')} UTC`;
  switch (cutShort) {
    case null:
      return [];
    case 'unread':
      return [`Only what was recorded since ${at} was looked at so far.`];
    case 'too-many-kinds':
      return [
        `Only what was recorded since ${at} was looked at: there are more kinds of calls than are kept at once.`,
      ];
    case 'not-held':
      return [`The record begins at ${at}, after ${since.slice(0, 16).replace('T', ' ')} UTC.`];
  }
}
