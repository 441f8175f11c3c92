import { timeOf } from '../audit/event/read.ts';
import { turn } from '../turns.ts';
import type { LogPage } from './activity.ts';
import { invalid } from './error.ts';

/** The two logs of what happened, read from their newest end and laid into one by time. */

/** Events that are asked for at a time. */
const PAGE = 200;

/**
 * A change comes before a call of the same millisecond: it is the call that it let in or kept out.
 * Newest first, so here the call is taken first.
 */
export function newerOf(call: string | null, change: string | null): 'calls' | 'changes' | null {
  if (call === null) return change === null ? null : 'changes';
  return change === null || timeOf(call) >= timeOf(change) ? 'calls' : 'changes';
}

/** Where a log is to be read on: null = at its newest event; `END` = there is nothing more. */
export type Place = string | null;
const END = 'end';
export const START: Cursor = { calls: null, changes: null, oldest: null };

export interface Cursor {
  readonly calls: Place;
  readonly changes: Place;
  /** Time of the last event that was shown. */
  readonly oldest: string | null;
}

/** How far a log that no page has touched yet may have grown meanwhile, in pages. */
const GROWN_PAGES = 50;

/** One log, read from its newest end, event by event. */
export class Backwards {
  readonly #read: LogPage;
  #page: { readonly events: readonly string[]; readonly cursors: readonly string[] } = {
    events: [],
    cursors: [],
  };
  #at = 0;
  #more: boolean;
  /**
   * A log that is begun only now has grown since the page before: what is newer than that page
   * ended is not part of what follows it.
   */
  #newest: string | null;
  place: Place;

  constructor(read: LogPage, place: Place, oldest: string | null) {
    this.#read = read;
    this.#more = place !== END;
    this.#newest = place === null ? oldest : null;
    this.place = place;
  }

  async peek(): Promise<string | null> {
    for (let pages = 0; this.#newest !== null && pages < GROWN_PAGES; pages += 1) {
      const event = await this.#look();
      const later = this.#page.events.findIndex(
        (one, index) => index >= this.#at && timeOf(one) <= (this.#newest ?? ''),
      );
      if (event === null || later !== -1) this.#newest = null;
      this.#at = later === -1 ? this.#page.events.length : later;
      if (this.#at > 0) this.place = this.#page.cursors[this.#at - 1] ?? this.place;
    }
    if (this.#newest !== null)
      throw invalid([
        {
          field: 'cursor',
          message: 'too much has been recorded since this page was given out: ask again without it',
        },
      ]);
    return this.#look();
  }

  async #look(): Promise<string | null> {
    while (this.#at >= this.#page.events.length && this.#more) {
      await turn();
      const { events, cursors, next } = await this.#read(this.place, PAGE);
      await turn();
      this.#page = { events, cursors };
      this.#at = 0;
      this.#more = next !== null && events.length > 0;
    }
    const event = this.#page.events[this.#at] ?? null;
    if (event === null) this.place = END;
    return event;
  }

  take(): string {
    const event = this.#page.events[this.#at] ?? '';
    this.place = this.#page.cursors[this.#at] ?? END;
    this.#at += 1;
    return event;
  }
}
