import type { Clock } from '../../clock.ts';
import type { EventBatch } from '../batch.ts';
import { AuditGap } from '../port.ts';
import type { BoundedStore } from './bounded-store.ts';
import type { SpoolFolder } from './folder.ts';
import { lastSeqOf } from './merge.ts';
import type { LostEvents, SpoolObserver } from './options.ts';

const NOTHING = Buffer.alloc(0);

/** The store lacks what the spool still has: that is to be sent before anything else. */
export class Rewound extends Error {
  override readonly name = 'Rewound';

  constructor(last: number) {
    super(`the store has lost what follows event ${last}: it is sent again`);
  }
}

export interface StoreLinkOptions {
  readonly store: BoundedStore;
  readonly instance: string;
  readonly clock: Clock;
  readonly folder: () => SpoolFolder | null;
  readonly observer: Pick<SpoolObserver, 'lost'>;
}

/** Sends batches to the store, and finds out what the store has lost. */
export class StoreLink {
  readonly #options: StoreLinkOptions;
  /** The number of the last event that the store has accepted. */
  #held = 0;
  /** When it has, in ms since 1970. */
  #heldMs: number;
  /**
   * Where the spool was taken back to, and for which batch: once, or it would go round for ever.
   */
  #rewound = '';

  constructor(options: StoreLinkOptions) {
    this.#options = options;
    this.#heldMs = options.clock.wallMs();
  }

  /** Throws `Rewound`, or what the store throws. */
  async send(batch: EventBatch): Promise<void> {
    const { store } = this.#options;
    try {
      await store.append(batch);
    } catch (fault) {
      if (!(fault instanceof AuditGap)) throw fault;
      await this.#onGap(batch, fault.last);
    }
    this.#held = lastSeqOf(batch);
    this.#heldMs = this.#options.clock.wallMs();
    this.#rewound = '';
  }

  /** Asks whether the store still holds what it has accepted. Throws as `send` does. */
  compare(): Promise<void> {
    const { instance } = this.#options;
    const firstSeq = this.#held + 1;
    return this.send({
      instance,
      firstSeq,
      count: 0,
      lines: NOTHING,
      accounts: [],
      marks: NOTHING,
    });
  }

  /** Nothing that comes up to this number will ever be sent. Throws as `send` does. */
  async goPast(lastSeq: number): Promise<void> {
    this.#held = Math.max(this.#held, lastSeq);
    await this.compare();
  }

  /**
   * The store was not reached for longer than it keeps the number of an instance that it takes for
   * gone: what it had is older than what it keeps of the record.
   */
  #isForgotten(): boolean {
    const { clock, store } = this.#options;
    return store.remembersMs !== null && clock.wallMs() - this.#heldMs >= store.remembersMs;
  }

  async #onGap(batch: EventBatch, last: number): Promise<void> {
    const { folder, instance, observer, store } = this.#options;
    if (last === 0 && this.#isForgotten()) return store.append({ ...batch, afterLoss: true });
    const rewound = `${last} ${batch.firstSeq}`;
    const isAgain = rewound === this.#rewound;
    if (!isAgain && (await folder()?.rewind(last, batch.firstSeq)) === true) {
      this.#rewound = rewound;
      throw new Rewound(last);
    }
    const [firstSeq, lastSeq] = [last + 1, batch.firstSeq - 1];
    const isOurs = isAgain || folder()?.hasLost(firstSeq, lastSeq) === true;
    await store.append({ ...batch, afterLoss: true });
    const reason: LostEvents['reason'] = isOurs ? 'spool-damaged' : 'failover';
    observer.lost({ instance, firstSeq, lastSeq, reason });
  }
}
