import { FeedLost, RegistryUnavailable } from '../port.ts';
import type { Position, StoreState } from '../position.ts';
import type { Generation } from './generation.ts';

export const GONE_ANOTHER_WAY =
  'the registry has gone another way: changes were lost in a failover';

/**
 * Others have told of revocations that the store had lost: what was read from it without them may
 * be wrong.
 */
export function assertSameTombstones(generation: Generation, state: StoreState): void {
  if (state.tombstones !== generation.tombstones)
    throw new FeedLost('others know of revocations that the registry had lost');
}

/** A store that answers from before what we have applied has lost changes, or is another one. */
export function assertSameHistory(
  generation: Generation,
  answer: { readonly epoch: string; readonly seq: number },
  appliedWhenSent: number,
): void {
  if (answer.epoch !== generation.epoch)
    throw new FeedLost('the registry has another history (epoch)');
  if (answer.seq < appliedWhenSent)
    throw new FeedLost('the registry has gone back to an earlier state');
}

/**
 * The same number with another tip is another history: a primary took over without our last changes
 * and has made others since.
 */
export function assertSameWay(generation: Generation, answer: Position): void {
  const tip = generation.trail.tipAt(answer.seq);
  if (tip !== undefined && answer.tip !== undefined && tip !== answer.tip)
    throw new FeedLost(GONE_ANOTHER_WAY, { forked: true });
}

/**
 * Faults after which nothing that was learned counts, unlike those that only keep us from learning
 * more.
 */
export function isLoss(fault: unknown): boolean {
  return (
    fault instanceof FeedLost ||
    (fault instanceof RegistryUnavailable && (fault.why === 'empty' || fault.why === 'foreign'))
  );
}
