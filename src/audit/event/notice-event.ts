import type { EventOf } from './audit-event.ts';
import { isoTime } from './text.ts';
import { eventJson } from './write.ts';

/**
 * The activity log in which notices stand, whatever they are about: who follows them need not read
 * the whole record. No account's: ids of accounts have 12 characters.
 */
export const NOTICE_LOG = 'notices';

/**
 * So many stay however short room is for the logs of accounts: few come, nobody can make them come,
 * and webhooks are told from them (also audit-append.lua, audit-activity.lua).
 */
export const NOTICES_LEAST = 1_000;

/** What a notice says, beside who writes it, when it happened, and under which number. */
export type NoticeFacts = Omit<
  EventOf<'notice'>,
  'schema' | 'time' | 'phase' | 'instance' | 'seq' | 'account' | 'chain'
> & { readonly timeMs: number };

/** One line of JSON about something that somebody should know of. */
export function noticeEvent(
  instance: string,
  seq: number,
  { timeMs, ...facts }: NoticeFacts,
): string {
  return eventJson({
    ...facts,
    time: isoTime(timeMs),
    phase: 'notice',
    instance,
    seq,
    account: null,
  });
}
