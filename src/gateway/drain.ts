import { setTimeout as sleep } from 'node:timers/promises';
import type { GateAdministration } from './administration.ts';
import type { GateContext } from './context.ts';
import type { GateProxy } from './proxy.ts';
import type { Records } from './records.ts';

/** Those whose work under way is waited for. */
export interface Drained {
  readonly proxy: GateProxy | null;
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
 * 3. The proxy's port closes. Calls under way have `instance.drainMs`; what is left is cut off.
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
  { proxy, administration }: Drained,
): Promise<void> {
  const admin = administration?.listener ?? null;
  const { lameDuckMs } = state.config.instance;
  if (lameDuckMs === 0 || (proxy === null && admin === null)) return;
  proxy?.announceEnd();
  admin?.announceEnd();
  log.info('the gate is not ready any more, and still answers', { lameDuckMs });
  await sleep(lameDuckMs);
}

async function endCalls({ log, state }: GateContext, { proxy }: Drained) {
  const cut = (await proxy?.drain(state.config.instance.drainMs)) ?? 0;
  if (cut > 0)
    log.warn('connections were cut off: their requests took longer than instance.drainMs', {
      connections: cut,
    });
}
