import { type FeedEvent, FeedLost, type RegistrySource, RegistryUnavailable } from '../port.ts';
import type { Position } from '../position.ts';
import type { Trail } from './trail.ts';

/**
 * How far back a reader that comes for the first time looks, and how much it reads at most. The
 * feed itself keeps about 10,000.
 */
const HISTORY = { firstLook: 1_024, most: 16_384 } as const;

export interface History {
  /** Oldest first. What the feed no longer holds is missing. */
  readonly events: readonly FeedEvent[];
  /** The store does not have all that we have seen. */
  readonly lost: boolean;
  /**
   * Its history parted from ours before where it stands now, or nobody can tell that it did not.
   */
  readonly forked: boolean;
}

/**
 * What happened before `now`, as far as the feed tells: since the end of `trail` for a reader that
 * was there before, and the latest for a new one. It is read for what it revoked: whoever has only
 * seen the outcome could not tell a later primary that something is missing.
 *
 * Throws `RegistryUnavailable` when the store does not answer.
 */
export async function readHistory(
  source: Pick<RegistrySource, 'eventsAfter'>,
  trail: Trail | null,
  now: Position,
): Promise<History> {
  const reached = trail?.position;
  if (trail !== null && reached?.epoch === now.epoch) {
    // A store that has gone back may have gone on since, and stand at a number of ours by changes
    // of its own.
    if (reached.seq > now.seq)
      return { events: await latest(source, now), lost: true, forked: !trail.passed(now) };
    try {
      return { events: await eventsBetween(source, reached, now), lost: false, forked: false };
    } catch (fault) {
      if (!(fault instanceof FeedLost)) throw fault;
      if (fault.forked) return { events: await latest(source, now), lost: true, forked: true };
    }
  }
  return { events: await latest(source, now), lost: false, forked: false };
}

/**
 * Best effort: a feed that was trimmed or cannot be read tells nothing, and nothing is lost by that
 * which was known.
 */
async function latest(
  source: Pick<RegistrySource, 'eventsAfter'>,
  now: Position,
): Promise<readonly FeedEvent[]> {
  try {
    return await eventsBetween(
      source,
      { epoch: now.epoch, seq: Math.max(0, now.seq - HISTORY.firstLook) },
      now,
    );
  } catch (fault) {
    if (
      fault instanceof FeedLost ||
      (fault instanceof RegistryUnavailable && fault.why === 'damaged')
    )
      return [];
    throw fault;
  }
}

/**
 * What lies between two positions, oldest first, as far as it is read at once. Throws `FeedLost`
 * when the feed cannot go on from `from`.
 */
export async function eventsBetween(
  source: Pick<RegistrySource, 'eventsAfter'>,
  from: Position,
  now: Position,
): Promise<readonly FeedEvent[]> {
  const events: FeedEvent[] = [];
  let position = from;
  // Asked even when nothing can have happened since: the store may stand at our number and at
  // another change.
  do {
    const read = await source.eventsAfter(position);
    const last = read.at(-1);
    if (last === undefined) break;
    events.push(...read);
    position = {
      epoch: from.epoch,
      seq: last.seq,
      ...(last.tip === undefined ? {} : { tip: last.tip }),
    };
  } while (position.seq < now.seq && events.length < HISTORY.most);
  return events;
}
