import { setTimeout as sleep } from 'node:timers/promises';
import type { GateAdministration } from './administration.ts';
import type { GateContext } from './context.ts';
import type { GateListener } from './gate-listener.ts';
import type { Records } from './records.ts';

/** Those whose work under way is waited for. */
export interface Drained {
  readonly proxy: GateListener | null;
  readonly decisions: GateListener | null;
  readonly administration: GateAdministration | null;
  readonly records: Records;
}

/** How long requests to the admin API may go on once calls have ended. */
const ADMIN_MS = 2000;

/**
 * What a gate does before it closes, in this order:
 *
 * 1. `/readyz` says no. Balancers must hear of it before anything is missing, so the operations
 *    listener stays open through all steps.
 * 2. For `instance.lameDuckMs` all goes on as before, but every response closes its connection, so
 *    that a client sends its next request elsewhere: closing an idle connection could cross with
 *    that request. Left out when somebody waits at a terminal (`lameDuck` false).
 * 3. The ports of the proxy and of the decision endpoint close. Calls under way have
 *    `instance.drainMs`; what is left is cut off.
 * 4. The admin listener and the owner's socket close. Not before: as long as calls go on, an
 *    administrator may have to look at them, and to revoke. Requests under way have two seconds.
 * 5. The last records are written out, for five seconds at most. Last, because every step before
 *    writes some; store, lease and replica are still as they were.
 *
 * Then everything that was opened closes in reverse order (`GateContext.owned`).
 */
export async function drain(gate: GateContext, drained: Drained, lameDuck: boolean): Promise<void> {
  gate.state.draining = true;
  if (lameDuck) await announceEnd(gate, drained);
  await endCalls(gate, drained);
  await drained.administration?.listener?.drain(ADMIN_MS);
  await drained.administration?.socket?.close();
  await drained.records.close();
}

async function announceEnd(
  { log, state }: GateContext,
  { proxy, decisions, administration }: Drained,
): Promise<void> {
  const admin = administration?.listener ?? null;
  const { lameDuckMs } = state.config.instance;
  const listeners = [proxy, decisions, admin].filter((listener) => listener !== null);
  if (lameDuckMs === 0 || listeners.length === 0) return;
  for (const listener of listeners) listener.announceEnd();
  log.info('the gate is not ready any more, and still answers', { lameDuckMs });
  await sleep(lameDuckMs);
}

async function endCalls({ log, state }: GateContext, { proxy, decisions }: Drained) {
  const { drainMs } = state.config.instance;
  const counts = await Promise.all([proxy?.drain(drainMs) ?? 0, decisions?.drain(drainMs) ?? 0]);
  const cut = counts[0] + counts[1];
  if (cut > 0)
    log.warn('connections were cut off: their requests took longer than instance.drainMs', {
      connections: cut,
    });
}
