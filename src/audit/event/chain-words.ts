import type { EventOf } from './audit-event.ts';
import type { ChainKind } from './kind-of.ts';

/** What an instance says of its own series of events, as the end of a sentence about it. */
export function chainWords(event: EventOf<ChainKind>): string {
  switch (event.type) {
    case 'instance-begun':
      return event.previous === null
        ? `began, version ${event.version}`
        : `began after ${event.previous.instance}, version ${event.version}`;
    case 'instance-ended':
      return `ended after ${event.seq} events`;
    case 'chain-head':
      return `signed its events up to number ${event.seq}`;
    case 'events-lost':
      return `lost ${event.count} events, ${event.firstSeq} to ${event.lastSeq} (${event.reason})`;
    case 'permits-closed':
      return `closed ${event.count} calls of ${event.decidedBy}, whose outcome is unknown`;
    case 'log-trimmed':
      return `cut ${event.count} of the oldest events, from before ${event.trimmedBefore}`;
  }
}
