import { setTimeout as sleep } from 'node:timers/promises';
import type { AuditScan, ScanPage } from '../audit/port.ts';
import { turn } from '../turns.ts';
import { AdminError } from './error.ts';

/** Events read at once. */
const PAGE = 500;
/** Events judged in one turn of the loop: about a millisecond of a running gate. */
const AT_ONCE = 100;
/** Of each page, how long is waited besides: a gate that serves calls goes first. */
const PAUSE_MS = 1;

/**
 * Reads a record from a place to its end, one page ahead of what is judged.
 *
 * @param after null: from its beginning
 * @param take one event, in the order in which they are stored
 * @param read after each page
 * @param ends nobody waits any more, or the log is about to be closed: `unavailable` is thrown
 * @returns where to go on
 */
export async function readOn(
  record: AuditScan,
  after: string | null,
  take: (event: string) => void,
  read: () => void,
  ends: readonly AbortSignal[],
): Promise<string> {
  for (let page: ScanPage = await record.scan({ after, limit: PAGE }); ; ) {
    const next = page.isEnd ? null : record.scan({ after: page.next, limit: PAGE });
    // Whatever goes wrong with it is told when it is its turn.
    next?.catch(() => {});
    await judge(page.events, take);
    read();
    if (ends.some(({ aborted }) => aborted))
      throw new AdminError('unavailable', 'the verification was broken off: begin it again');
    if (next === null) return page.next;
    page = await next;
  }
}

async function judge(events: readonly string[], take: (event: string) => void): Promise<void> {
  for (const [at, event] of events.entries()) {
    if (at % AT_ONCE === AT_ONCE - 1) await turn();
    take(event);
  }
  await sleep(PAUSE_MS);
}
