import type { EventBatch } from '../../src/audit/batch.ts';
import { EventLines, eachEvent } from '../../src/audit/outbox/lines.ts';

export interface Entry {
  readonly event: string;
  /** In whose activity log it appears; null = in none. */
  readonly account: string | null;
}

/** A batch of events, as the outbox makes it. */
export function batchOf(instance: string, firstSeq: number, entries: readonly Entry[]): EventBatch {
  const lines = new EventLines();
  for (const { event, account } of entries) lines.push(event, account);
  return lines.batch(instance, firstSeq);
}

/** What went into it. */
export function entriesOf(batch: EventBatch): Entry[] {
  const entries: Entry[] = [];
  eachEvent(batch, (event, account) =>
    entries.push({ event: event.toString('utf8', 0, event.length - 1), account }),
  );
  return entries;
}
