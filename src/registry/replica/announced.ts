import { type FeedEvent, FeedLost, type RegistrySource } from '../port.ts';
import type { Timing } from '../timing.ts';
import type { Generation } from './generation.ts';

/**
 * How long the feed may take to bring what a renewal has announced, before it is fetched past the
 * feed.
 */
const FEED_GRACE_MS = 50;
/** In how many steps that time is waited for by a look-up. */
const FEED_WAITS = 10;

interface AnnouncedOptions {
  readonly source: Pick<RegistrySource, 'eventsAfter'>;
  readonly timing: Timing;
  /** Whether it is the one that counts. */
  isPresent(generation: Generation): boolean;
  apply(generation: Generation, events: readonly FeedEvent[]): void;
}

/** Waits until what the store has announced is applied, and fetches it if the feed does not. */
export class Announced {
  readonly #options: AnnouncedOptions;

  constructor(options: AnnouncedOptions) {
    this.#options = options;
  }

  /** As a rule the feed brings it within a millisecond: it is looked at in short steps. */
  async meet(generation: Generation, seq: number): Promise<void> {
    for (let waits = 0; waits < FEED_WAITS && this.#lacks(generation, seq); waits += 1)
      await this.#options.timing.sleep(FEED_GRACE_MS / FEED_WAITS, generation.ended.signal);
    if (this.#lacks(generation, seq)) await this.catchUp(generation, seq);
  }

  /**
   * The store is ahead of us. Usually the feed brings it within a millisecond; if it is dead
   * without knowing it, we fetch past it.
   */
  async catchUp(generation: Generation, seq: number): Promise<void> {
    const { source, timing, apply } = this.#options;
    await timing.sleep(FEED_GRACE_MS, generation.ended.signal);
    while (this.#lacks(generation, seq)) {
      const events = await source.eventsAfter(generation.position);
      if (events.length === 0)
        throw new FeedLost('the feed does not hold what the store has announced');
      apply(generation, events);
    }
  }

  #lacks(generation: Generation, seq: number): boolean {
    return this.#options.isPresent(generation) && generation.appliedSeq < seq;
  }
}
