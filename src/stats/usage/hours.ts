import type { Clock } from '../../clock.ts';
import { Periodic } from '../../periodic.ts';
import { turn } from '../../turns.ts';
import { DAY_HOURS, HOUR_MS } from '../times.ts';
import { UsageMerger } from './merge.ts';
import {
  byMinute,
  type HourState,
  type UsageHours,
  type UsageText,
  type UsageTexts,
} from './port.ts';
import { KEPT, SUBJECTS, type Subject } from './table.ts';
import { decodeTable, encodeTable } from './text.ts';

/** An hour's last minutes are written by then, where the store was there. */
const SETTLED_MS = 120_000;
/** Hours whose minutes are still there. */
const LOOKED_AT = DAY_HOURS;

export interface UsageHourMakerOptions {
  readonly store: UsageHours;
  readonly clock: Clock;
  readonly everyMs: number;
  /** Told once per outage. */
  readonly onFault: (fault: unknown) => void;
}

/**
 * Makes hours from the minutes of all instances. Every instance looks, and does what it finds not
 * done; two that do it at once write the same. An hour of which something was written after it was
 * made is made again: minutes come late where a store was away, or the clock of a gate is slow.
 */
export class UsageHourMaker {
  readonly #options: UsageHourMakerOptions;
  readonly #looking: Periodic;
  #failing = false;
  #closing = false;

  constructor(options: UsageHourMakerOptions) {
    this.#options = options;
    this.#looking = new Periodic(() => this.#look(), options.everyMs);
  }

  /** Never rejects. */
  look(): Promise<void> {
    return this.#looking.now();
  }

  /** What was not done yet others do, or the next run. */
  close(): Promise<void> {
    this.#closing = true;
    return this.#looking.close();
  }

  async #look(): Promise<void> {
    if (this.#closing) return;
    const { store, clock, onFault } = this.#options;
    const last = Math.floor((clock.wallMs() - SETTLED_MS) / HOUR_MS) - 1;
    try {
      for (const state of await store.hourStates(last - LOOKED_AT + 1, last))
        if (!this.#closing && isUndone(state)) await this.#make(state);
      this.#failing = false;
    } catch (fault) {
      if (!this.#failing) onFault(fault);
      this.#failing = true;
    }
  }

  async #make({ hour, written }: HourState): Promise<void> {
    const { store } = this.#options;
    const texts: Partial<Record<Subject, string>> = {};
    for (const subject of SUBJECTS) texts[subject] = await this.#madeOf(subject, hour);
    await store.writeHour(hour, texts as UsageTexts, written);
  }

  /**
   * The minutes are put together on the way: each was read for the hour anyhow. But not where
   * another version can read more of them than this one.
   */
  async #madeOf(subject: Subject, hour: number): Promise<string> {
    const { store } = this.#options;
    const all = new UsageMerger(KEPT[subject]);
    const [before] = await store.hourStates(hour, hour, subject);
    const texts = await store.minutes(subject, hour);
    const shared: UsageText[] = [];
    let isRead = true;
    for (const [at, ofMinute] of byMinute(texts)) {
      const minute = new UsageMerger(KEPT[subject]);
      for (const text of ofMinute) {
        const table = decodeTable(text);
        if (table === null) isRead = false;
        else for (const merger of [all, minute]) merger.add(table);
        await turn();
      }
      shared.push({ at, text: await encodeTable(minute.table()) });
    }
    if (isRead && shared.length < texts.length)
      await store.writeShared(subject, hour, shared, before!.written);
    return encodeTable(all.table());
  }
}

function isUndone({ written, made }: HourState): boolean {
  if (made === null) return written.minutes > 0;
  // Where minutes are gone already, what was made from more of them stays.
  if (written.minutes !== made.minutes) return written.minutes > made.minutes;
  return written.revision !== made.revision;
}
