import type { RegistryKeys } from '../../store/keys.ts';
import type { RedisConnection } from '../../store/redis.ts';
import { decodeEvent } from '../codec.ts';
import {
  type FeedEvent,
  type FeedListener,
  RegistryUnavailable,
  type Subscription,
} from '../port.ts';
import type { Position } from '../position.ts';
import type { Timing } from '../timing.ts';
import { META_FIELDS, pairs, positionFrom } from './reply.ts';

/** Entries read at once. */
export const FEED_BATCH = 256;

/**
 * `blockMs`: how long one XREAD waits on the server. Its end is the feed's heartbeat: at each we
 * compare positions, and a connection on which not even that arrives is dropped (store/redis.ts).
 */
const FOLLOW = {
  blockMs: 2_000,
  connectDeadlineMs: 2_000,
  retryFirstMs: 50,
  retryLongestMs: 1_000,
} as const;

/**
 * Follows the feed over a connection of its own until it is closed or lost. Faults of the
 * connection only delay it.
 */
export function followFeed(
  connection: RedisConnection,
  keys: RegistryKeys,
  name: string,
  from: Position,
  listener: FeedListener,
  timing: Timing,
): Subscription {
  const own = connection.forBlocking(name, FOLLOW.blockMs);
  const stopped = new AbortController();
  const done = run(own, keys, from, listener, stopped.signal, timing).finally(() => own.close());
  return {
    close: async () => {
      stopped.abort();
      own.close();
      await done;
    },
  };
}

async function run(
  own: RedisConnection,
  keys: RegistryKeys,
  from: Position,
  listener: FeedListener,
  stopped: AbortSignal,
  timing: Timing,
) {
  let position: Position = from;
  let failures = 0;
  // The first read does not wait: it catches up with what happened since `from`, or finds that it
  // can't.
  let waiting = false;
  while (!stopped.aborted) {
    try {
      const read: FeedRead = waiting
        ? await next(own, keys, position)
        : await missed(own, keys, position);
      const { events, lost } = read;
      if (stopped.aborted) return;
      if (lost !== null) {
        listener.onLost(lost);
        return;
      }
      failures = 0;
      // An empty answer to a waiting read may mean silence or an entry that can no longer come:
      // look at the position before waiting again.
      waiting = !(waiting && events.length === 0);
      position = after(position, events);
      if (events.length > 0) listener.onEvents(events);
    } catch (fault) {
      if (stopped.aborted) return;
      const why = lossOf(fault);
      if (why !== null) {
        listener.onLost(why);
        return;
      }
      waiting = false;
      failures += 1;
      await pause(failures, own, stopped, timing);
    }
  }
}

/**
 * Faults that waiting does not heal: the feed's own content. The rest (unreachable, refused,
 * forbidden) is waited out; the lease bounds it.
 */
function lossOf(fault: unknown): string | null {
  if (fault instanceof RegistryUnavailable && (fault.why === 'empty' || fault.why === 'damaged'))
    return fault.message;
  const why = (fault as { why?: unknown }).why;
  return why === undefined || why === 'damaged'
    ? `the feed cannot be read: ${(fault as Error).message}`
    : null;
}

async function pause(
  failures: number,
  own: RedisConnection,
  stopped: AbortSignal,
  timing: Timing,
): Promise<void> {
  const delayMs = Math.min(
    FOLLOW.retryLongestMs,
    FOLLOW.retryFirstMs * 2 ** Math.min(failures - 1, 10),
  );
  await timing.sleep(delayMs, stopped);
  if (!stopped.aborted) await own.ready(FOLLOW.connectDeadlineMs).catch(() => undefined);
}

async function next(
  own: RedisConnection,
  keys: RegistryKeys,
  position: Position,
): Promise<FeedRead> {
  const reply = await own.call(
    'XREAD',
    'COUNT',
    FEED_BATCH,
    'BLOCK',
    FOLLOW.blockMs,
    'STREAMS',
    keys.feed,
    `${position.seq}-0`,
  );
  if (reply === null) return { events: [], lost: null };
  const [stream] = reply as [string, unknown][];
  return readEntries(position, stream?.[1]);
}

async function missed(
  own: RedisConnection,
  keys: RegistryKeys,
  position: Position,
): Promise<FeedRead> {
  const [meta, entries] = await own.readTogether(
    [keys.meta, keys.feed],
    [
      ['HMGET', keys.meta, ...META_FIELDS],
      ['XRANGE', keys.feed, `${position.seq + 1}-0`, '+', 'COUNT', FEED_BATCH],
    ],
  );
  return feedAfter(position, positionFrom(meta), entries);
}

/** Two stores went on from one state: the number is right, the change behind it is another. */
export const FORKED = 'the registry has gone another way (changes were lost in a failover)';

export interface FeedRead {
  readonly events: readonly FeedEvent[];
  /** Why the feed cannot go on from here; null when it can. */
  readonly lost: string | null;
}

/** What a read of the feed means for a reader at `from`, when the store stands at `now`. */
export function feedAfter(from: Position, now: Position, entries: unknown): FeedRead {
  if (now.epoch !== from.epoch) return lost('the registry has another history (epoch)');
  if (now.seq < from.seq) return lost('the registry has gone back to an earlier state');
  if (
    now.seq === from.seq &&
    now.tip !== undefined &&
    from.tip !== undefined &&
    now.tip !== from.tip
  )
    return lost(FORKED);
  const read = readEntries(from, entries);
  if (read.lost === null && read.events.length === 0 && now.seq > from.seq)
    return lost('the feed no longer reaches back far enough');
  return read;
}

/**
 * The entries must be of the reader's epoch and follow on its position without a gap, each made on
 * the one before it.
 */
function readEntries(from: Position, reply: unknown): FeedRead {
  const events: FeedEvent[] = [];
  let { seq, tip } = from;
  for (const [id, words] of (reply ?? []) as [string, string[]][]) {
    const [[, epoch] = ['', ''], [, link] = ['', ''], ...changes] = pairs(words);
    const [prev = '', next = ''] = link.split(' ');
    if (epoch !== from.epoch) return lost('the registry has another history (epoch)');
    if (id !== `${seq + 1}-0`) return lost('the feed has a gap');
    if (tip !== undefined && prev !== tip) return lost(FORKED);
    seq += 1;
    tip = next;
    events.push({ ...decodeEvent(seq, changes), prev, tip: next });
  }
  return { events, lost: null };
}

/** The position that an XRANGE of one entry shows: none when it is not there. */
export function entryPosition(reply: unknown): readonly Position[] {
  return (reply as [string, string[]][]).map(([id, words]) => {
    const [[, epoch] = ['', ''], [, link] = ['', '']] = pairs(words);
    return { epoch, seq: Number(id.split('-')[0]), tip: link.split(' ')[1] ?? '' };
  });
}

function after(position: Position, events: readonly FeedEvent[]): Position {
  const last = events.at(-1);
  if (last === undefined) return position;
  return last.tip === undefined
    ? { epoch: position.epoch, seq: last.seq }
    : { epoch: position.epoch, seq: last.seq, tip: last.tip };
}

function lost(why: string): FeedRead {
  return { events: [], lost: why };
}
