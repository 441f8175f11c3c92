import { AuditUnavailable } from '../audit/port.ts';
import type { Clock } from '../clock.ts';
import { RegistryUnavailable } from '../registry/port.ts';
import { StoreUnavailable } from '../store/fault.ts';
import type { Log } from '../telemetry/log.ts';
import { type Message, messageOf } from './message.ts';
import type { EventSource, Hook, Place, WebhookStore } from './port.ts';
import type { Attempt, Sender } from './sender.ts';

export const DELIVERY_LIMITS = {
  /** Between two attempts: doubled from the first to the longest, and a random part less. In ms. */
  firstPauseMs: 1_000,
  longestPauseMs: 600_000,
  /** An event that is older is dropped. In ms. */
  oldestMs: 86_400_000,
  /**
   * Attempts that the receiver refused (4xx), after which the event is dropped, and how long after
   * the first of them, in ms: a receiver that is set up wrongly refuses everything for a while.
   */
  refusals: 5,
  refusedForMs: 3_600_000,
  /** Between two looks whether a place is one of the logs that there are. In ms. */
  proofMs: 60_000,
} as const;

/** What became of an attempt, or of an event that is given up. */
export const DELIVERY_RESULTS = ['delivered', 'failed', 'dropped'] as const;
export type DeliveryResult = (typeof DELIVERY_RESULTS)[number];

export interface DeliveryOptions {
  readonly hook: Hook;
  readonly sender: Pick<Sender, 'send' | 'close'>;
  readonly source: EventSource;
  readonly store: Pick<WebhookStore, 'word' | 'keep'>;
  readonly clock: Clock;
  readonly count: (result: DeliveryResult) => void;
  readonly log: Log;
  /** From 0 to 1. */
  readonly random?: () => number;
}

/**
 * Tells one receiver what is recorded, one event after the other. How far it has come is kept in
 * the store after each event, so whoever delivers next goes on there: an event may come twice,
 * with the same id, and none is left out. A receiver that is away holds up the events behind, each
 * for a day at most.
 */
export class Delivery {
  readonly #options: DeliveryOptions;
  /** Of the event that is tried. */
  #attempts = 0;
  #refusals = 0;
  /** Monotonic. */
  #firstRefusedMs = 0;
  #provenUntilMs = Number.NEGATIVE_INFINITY;
  /** Monotonic: until then nothing is tried. */
  #restUntilMs = Number.NEGATIVE_INFINITY;
  #isAway = false;
  /** What there is to tell cannot be read. */
  #isBlind = false;

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  get hook(): Hook {
    return this.#options.hook;
  }

  /**
   * Sends what is due, until nothing is left, something fails, or the signal says stop. Does not
   * throw for a store that is away: it goes on when that is back.
   */
  async run(stop: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    if (clock.monotonicMs() < this.#restUntilMs) return;
    try {
      // Asked anew each time: another instance may have delivered meanwhile.
      let place: Place | null = await this.#where();
      while (place !== null && !stop.aborted) place = await this.#page(place, stop);
      this.#isBlind = false;
    } catch (error) {
      const isAway =
        error instanceof StoreUnavailable ||
        error instanceof AuditUnavailable ||
        error instanceof RegistryUnavailable;
      if (!isAway) throw error;
      this.#rest();
      if (!this.#isBlind)
        log.warn('events for a webhook cannot be read', { hook: this.hook.name, error });
      this.#isBlind = true;
    }
  }

  async close(): Promise<void> {
    await this.#options.sender.close();
  }

  /** Where to go on at once; null: nothing more is due now. */
  async #page(from: Place, stop: AbortSignal): Promise<Place | null> {
    let place = from;
    for (const { log, at, event } of await this.#options.source.after(place)) {
      // Of very many that nobody wants none is read as a whole.
      const message = this.hook.events.has(typeIn(event)) ? messageOf(event) : null;
      if (message !== null && !(await this.#deliver(message, stop))) {
        // What nobody wants, and stands before it, is passed over.
        if (place !== from) await this.#keep(place);
        return null;
      }
      place = { ...place, [log]: at };
      if (message !== null) await this.#keep(place);
    }
    if (place === from) return null;
    await this.#keep(place);
    return place;
  }

  async #where(): Promise<Place> {
    const { source, store, clock } = this.#options;
    const kept = placeIn(await store.word(this.#word));
    if (kept !== null && clock.monotonicMs() < this.#provenUntilMs) return kept;
    const end = await source.end();
    this.#provenUntilMs = clock.monotonicMs() + DELIVERY_LIMITS.proofMs;
    const place = kept === null ? end : this.#within(kept, end);
    if (place !== kept) await this.#keep(place);
    return place;
  }

  /** Of a log that is another one now (an older copy of it, or a new one), its end. */
  #within(kept: Place, end: Place): Place {
    const [changes, notices] = [
      isBeyond(kept.changes, end.changes),
      isBeyond(kept.notices, end.notices),
    ];
    if (!changes && !notices) return kept;
    this.#options.log.warn('a webhook was further than its log is, and goes on at the end of it', {
      ...{ hook: this.hook.name, kept, end },
    });
    return {
      changes: changes ? end.changes : kept.changes,
      notices: notices ? end.notices : kept.notices,
    };
  }

  get #word(): string {
    return `hook:${this.hook.name}`;
  }

  async #keep(place: Place): Promise<void> {
    await this.#options.store.keep(this.#word, JSON.stringify(place));
  }

  /** Whether it is done with: delivered or dropped. */
  async #deliver(message: Message, stop: AbortSignal): Promise<boolean> {
    const { sender, clock, count } = this.#options;
    if (stop.aborted) return false;
    const ageMs = clock.wallMs() - message.timeMs;
    if (ageMs > DELIVERY_LIMITS.oldestMs) return this.#drop(message, 'it is older than a day');
    const attempt = await sender.send(message, clock.wallMs(), stop);
    // Whoever ends the attempt learns nothing about the receiver.
    if (stop.aborted && attempt.result !== 'delivered') return false;
    if (attempt.result === 'delivered') return this.#delivered();
    count('failed');
    this.#failed(message, attempt);
    if (attempt.result === 'refused' && this.#isRefusedForGood())
      return this.#drop(message, attempt.why);
    this.#rest();
    return false;
  }

  #isRefusedForGood(): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#refusals === 0) this.#firstRefusedMs = nowMs;
    this.#refusals += 1;
    const { refusals, refusedForMs } = DELIVERY_LIMITS;
    return this.#refusals >= refusals && nowMs - this.#firstRefusedMs >= refusedForMs;
  }

  #delivered(): true {
    const { log, count } = this.#options;
    count('delivered');
    if (this.#isAway) log.info('a webhook is delivered again', { hook: this.hook.name });
    this.#isAway = false;
    this.#begin();
    return true;
  }

  #failed({ type, id }: Message, { why }: Extract<Attempt, { why: string }>): void {
    if (this.#isAway) return;
    this.#isAway = true;
    const { log } = this.#options;
    log.warn('a webhook cannot be delivered, and is tried again', {
      ...{ hook: this.hook.name, type, id, why },
    });
  }

  #drop({ type, id }: Message, why: string): true {
    const { log, count } = this.#options;
    count('dropped');
    log.error('an event is not told to a webhook', { hook: this.hook.name, type, id, why });
    this.#begin();
    return true;
  }

  /** With the next event. */
  #begin(): void {
    this.#attempts = 0;
    this.#refusals = 0;
    this.#restUntilMs = Number.NEGATIVE_INFINITY;
  }

  #rest(): void {
    const { clock, random = Math.random } = this.#options;
    const { firstPauseMs, longestPauseMs } = DELIVERY_LIMITS;
    const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** this.#attempts);
    this.#attempts += 1;
    this.#restUntilMs = clock.monotonicMs() + pauseMs * (1 - random() / 4);
  }
}

/** As far as a line has one. It stands in front of everything that could look like it. */
function typeIn(line: string): string {
  return /"type":"([a-z-]{1,64})"/.exec(line)?.[1] ?? '';
}

function placeIn(text: string | null): Place | null {
  if (text === null) return null;
  try {
    const { changes, notices } = JSON.parse(text) as Partial<Place>;
    return typeof changes === 'string' && typeof notices === 'string' ? { changes, notices } : null;
  } catch {
    return null;
  }
}

/**
 * Places are numbers, or those of a stream of Redis, `MS-NUMBER`. The latter grow with time, also
 * where nothing is left in the stream.
 */
function isBeyond(place: string, end: string): boolean {
  if (end === '0-0') return false;
  const [[ms = 0, number = 0], [endMs = 0, endNumber = 0]] = [partsOf(place), partsOf(end)];
  return ms > endMs || (ms === endMs && number > endNumber);
}

function partsOf(place: string): readonly number[] {
  return place.split('-').map(Number);
}
