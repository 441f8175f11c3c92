import type { Actor } from '../../audit/event/change-event.ts';
import { reading, writing } from '../change.ts';
import type { AdminContext } from '../context.ts';
import { AdminError } from '../error.ts';
import { eventsOf } from './event.ts';
import { NOTHING } from './nothing.ts';
import { isOver, readWaiting, WAITING_LIMITS } from './waiting.ts';

/** Nobody settled it: time did. */
const TIME: Actor = { id: null, name: 'expiry', kind: 'system', via: 'configuration' };

type ExpireContext = Pick<AdminContext, 'store' | 'clock' | 'instance'>;

/** Takes away what has waited for too long, each with its event. */
export async function expire(context: ExpireContext): Promise<void> {
  const nowMs = context.clock.wallMs();
  for (const waiting of await reading(() => readWaiting(context.store))) {
    if (!isOver(waiting, nowMs)) continue;
    const [audit, ...moreAudit] = eventsOf(context, 'change-expired', TIME, waiting);
    // Where it is gone already, somebody else was faster.
    await writing(
      { store: context.store },
      {
        ...NOTHING,
        ...{ audit, moreAudit },
        waiting: { put: [], drop: [waiting.id], atMost: WAITING_LIMITS.all },
      },
    );
  }
}

/** Between two looks, in ms. */
const EVERY_MS = 60_000;

/** For one instance of all to call often: what lapses is on record soon, whoever acts or not. */
export function lapsing(context: ExpireContext): () => Promise<void> {
  let lookAtMs = Number.NEGATIVE_INFINITY;
  return async () => {
    if (context.clock.monotonicMs() < lookAtMs) return;
    lookAtMs = context.clock.monotonicMs() + EVERY_MS;
    await expire(context).catch((error: unknown) => {
      // The store is away, as others say: the next look is soon.
      if (!(error instanceof AdminError) || error.code !== 'unavailable') throw error;
    });
  };
}
