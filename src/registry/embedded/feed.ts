import { decodeEvent } from '../codec.ts';
import { type FeedEvent, type FeedListener, FeedLost, type Subscription } from '../port.ts';
import type { Position } from '../position.ts';
import type { RegistryFile } from './file.ts';

/** Events read at once. */
const FEED_BATCH = 256;

/** A reader of the feed and where it stands. */
interface Follower {
  position: Position;
  readonly listener: FeedListener;
}

/** The change feed of a file, and who follows it in this process: there is no other. */
export class EmbeddedFeed {
  readonly #file: RegistryFile;
  readonly #followers = new Set<Follower>();

  constructor(file: RegistryFile) {
    this.#file = file;
  }

  follow(from: Position, listener: FeedListener): Subscription {
    const follower: Follower = { position: from, listener };
    this.#followers.add(follower);
    // What happened since `from` is told soon, but never before the caller holds its subscription.
    queueMicrotask(() => this.#tell(follower));
    return { close: async () => void this.#followers.delete(follower) };
  }

  /** Everybody is brought up to date before this returns. */
  tellAll(): void {
    for (const follower of [...this.#followers]) this.#tell(follower);
  }

  close(): void {
    this.#followers.clear();
  }

  /**
   * Brings one follower up to date, or tells it that this cannot be. Its own faults must not undo
   * what is committed.
   */
  #tell(follower: Follower): void {
    try {
      for (
        let events = this.#pending(follower);
        events.length > 0;
        events = this.#pending(follower)
      ) {
        follower.position = {
          epoch: follower.position.epoch,
          seq: events.at(-1)?.seq ?? follower.position.seq,
        };
        follower.listener.onEvents(events);
      }
    } catch (fault) {
      if (this.#followers.delete(follower)) follower.listener.onLost((fault as Error).message);
    }
  }

  #pending(follower: Follower): readonly FeedEvent[] {
    return this.#followers.has(follower)
      ? this.#file.read(() => this.eventsAfter(follower.position))
      : [];
  }

  /** To be called inside `read`. Throws `FeedLost`. */
  eventsAfter(from: Position): readonly FeedEvent[] {
    const now = this.#file.position();
    if (now.epoch !== from.epoch) throw new FeedLost('the registry has another history (epoch)');
    if (now.seq < from.seq) throw new FeedLost('the registry has gone back to an earlier state');
    const rows = this.#file.all(
      'SELECT seq, changes FROM feed WHERE seq > ? ORDER BY seq LIMIT ?',
      from.seq,
      FEED_BATCH,
    );
    if (now.seq > from.seq && Number(rows[0]?.seq) !== from.seq + 1)
      throw new FeedLost('the feed no longer reaches back far enough');
    return rows.map((row) => decodeEvent(Number(row.seq), JSON.parse(String(row.changes))));
  }
}
