import { timeOf } from '../audit/event/read.ts';
import type { AuditReader } from '../audit/port.ts';
import type { RegistryStore } from '../registry/port.ts';
import type { EventSource, LoggedEvent, Place } from './port.ts';

/** Of each log at once. */
const PAGE = 100;

/**
 * The two logs that hold what may be told: administrative changes beside the registry, and notices
 * beside the record. Both are kept anyway, so there is no queue of our own that could lose
 * something or grow.
 */
export function createEventSource(
  store: Pick<RegistryStore, 'changesAfter'>,
  audit: Pick<AuditReader, 'noticesAfter'>,
): EventSource {
  return {
    async end(): Promise<Place> {
      const [changes, notices] = await Promise.all([
        store.changesAfter(null, 0),
        audit.noticesAfter(null, 0),
      ]);
      return { changes: changes.end, notices: notices.end };
    },
    async after({ changes, notices }) {
      const [changed, noticed] = await Promise.all([
        store.changesAfter(changes, PAGE),
        audit.noticesAfter(notices, PAGE),
      ]);
      const all: readonly LoggedEvent[] = [
        ...changed.items.map((item) => ({ log: 'changes' as const, ...item })),
        ...noticed.items.map((item) => ({ log: 'notices' as const, ...item })),
      ];
      // Stable: events of one log keep their order where its times do not go back.
      return inOrder(all);
    },
  };
}

/** Merges by time, and never lets an event of a log come before one that stands before it there. */
function inOrder(all: readonly LoggedEvent[]): readonly LoggedEvent[] {
  const latest: Record<LoggedEvent['log'], string> = { changes: '', notices: '' };
  return all
    .map((one) => {
      const time = timeOf(one.event);
      if (time > latest[one.log]) latest[one.log] = time;
      return { one, time: latest[one.log] };
    })
    .sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0))
    .map(({ one }) => one);
}
