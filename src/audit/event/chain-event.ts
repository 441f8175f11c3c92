import type { EventOf } from './audit-event.ts';
import type { ChainKind } from './kind-of.ts';
import { isoTime } from './text.ts';
import { eventJson } from './write.ts';

type Numbered = 'id' | 'time' | 'instance' | 'seq' | 'phase';
/** What an event of the kind says, beside who says it, when, and under which number. */
export type ChainFacts = {
  [Kind in ChainKind]: Omit<EventOf<Kind>, Numbered>;
}[ChainKind];

/**
 * One line of JSON in which an instance says something of its own series of events. Its id is made
 * from the instance and the number, so that there is one of each.
 */
export function chainEvent(
  instance: string,
  seq: number,
  timeMs: number,
  facts: ChainFacts,
): string {
  const time = isoTime(timeMs);
  const common = { id: `${instance}~${seq}`, time, phase: 'chain', instance, seq } as const;
  return eventJson({ ...common, ...facts });
}
