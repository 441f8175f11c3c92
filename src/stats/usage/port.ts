import { DAY_HOURS } from '../times.ts';
import type { Subject } from './table.ts';

/**
 * Where it is kept who called: a table for each minute of each instance, and for each hour one of
 * all instances, made from these. Tables are texts here (`encodeTable`). No promise hangs on them,
 * as with the counts beside them: what could not be written is missing and nothing else.
 */

/** How long hours are kept. */
export const KEPT_HOURS = 90 * DAY_HOURS;

export type UsageTexts = Readonly<Record<Subject, string>>;

/** The text of one instance's minute, or of an hour; minutes and hours since the Unix epoch. */
export interface UsageText {
  readonly at: number;
  readonly text: string;
}

/** The texts of each minute, oldest first. */
export function byMinute(
  texts: readonly UsageText[],
): readonly (readonly [minute: number, texts: readonly string[]])[] {
  const found = new Map<number, string[]>();
  for (const { at, text } of texts) {
    const known = found.get(at);
    if (known === undefined) found.set(at, [text]);
    else known.push(text);
  }
  return [...found].sort(([one], [other]) => one - other);
}

/** What the instances have written of an hour, to tell whether there is more since. */
export interface Written {
  /** Minutes of instances, and perhaps one beside them: only compared. */
  readonly minutes: number;
  /** Another one after every minute written: a minute is written several times. Null: unknown. */
  readonly revision: string | null;
}

export interface HourState {
  readonly hour: number;
  readonly written: Written;
  /** What of these it was made from. Null: it was not made. */
  readonly made: Written | null;
}

/** Everything throws `StoreUnavailable`. */
export interface UsageReader {
  /**
   * What all instances have written for the minutes of one hour, in no order: a text for each
   * instance and minute, or one for each minute where they were put together since.
   */
  minutes(of: Subject, hour: number): Promise<readonly UsageText[]>;
  /** The hours from `first` to `last` that were made, both included, in no order. */
  hours(of: Subject, first: number, last: number): Promise<readonly UsageText[]>;
}

/** What an hour is made with. */
export interface UsageHours extends UsageReader {
  /**
   * What was written of one subject, or at least of every one. Where instances write at the same
   * time, the last writing of each subject may be that of another instance.
   */
  hourStates(first: number, last: number, of?: Subject): Promise<readonly HourState[]>;
  /** Replaces what there is of that hour. @param from what was written before it was read */
  writeHour(hour: number, texts: UsageTexts, from: Written): Promise<void>;
  /**
   * Replaces the minutes of an hour that were put together of several instances. They are read in
   * the place of these until something more of that hour is written.
   * @param from what was written of that subject before it was read
   */
  writeShared(
    of: Subject,
    hour: number,
    minutes: readonly UsageText[],
    from: Written,
  ): Promise<void>;
}

export interface UsageStore extends UsageHours {
  /** Replaces what this instance has written for that minute: writing twice is harmless. */
  writeMinute(minute: number, instance: string, texts: UsageTexts): Promise<void>;
  close(): Promise<void>;
}
