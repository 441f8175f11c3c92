import type { Actor } from '../../audit/event/change-event.ts';
import { reading, writing } from '../change.ts';
import type { AdminContext } from '../context.ts';
import { eventsOf } from './event.ts';
import { NOTHING } from './nothing.ts';
import { isOver, readWaiting, WAITING_LIMITS } from './waiting.ts';

/** Nobody settled it: time did. */
const TIME: Actor = { id: null, name: 'expiry', kind: 'system', via: 'configuration' };

/** Takes away what has waited for too long, each with its event. */
export async function expire(context: AdminContext): Promise<void> {
  const nowMs = context.clock.wallMs();
  for (const waiting of await reading(() => readWaiting(context.store))) {
    if (!isOver(waiting, nowMs)) continue;
    const [audit, ...moreAudit] = eventsOf(context, 'change-expired', TIME, waiting);
    // Where it is gone already, somebody else was faster.
    await writing(context, {
      ...NOTHING,
      ...{ audit, moreAudit },
      waiting: { put: [], drop: [waiting.id], atMost: WAITING_LIMITS.all },
    });
  }
}
