import type { Clock } from '../../clock.ts';
import { chainEvent } from '../event/chain-event.ts';
import { isoTime } from '../event/text.ts';
import type { BatchingOutbox } from '../outbox/outbox.ts';
import { keepHeadIn } from './head-file.ts';
import type { ChainKey } from './key.ts';
import type { HeadLedger } from './ledger.ts';
import { type ChainPlace, headText } from './signed.ts';

export interface ChainOptions {
  readonly outbox: BatchingOutbox;
  readonly instance: string;
  readonly version: string;
  readonly clock: Clock;
  readonly key: ChainKey;
  /** The head that the first event names. */
  readonly previous: ChainPlace | null;
  /** Where the newest head is kept; null: nowhere. */
  readonly folder: string | null;
  /** The store's; null: it keeps none. */
  readonly ledger: HeadLedger | null;
  /** How long events are kept, in ms. */
  readonly keptMs: number;
  /** A head or a key could not be kept; told once until it works again. */
  readonly onFault: (fault: unknown) => void;
}

/** A head is signed when so much has been written since the last one, or after so long. */
const HEAD_EVENTS = 1000;
const HEAD_MS = 10_000;

export interface Chain {
  /** Vouches for events without a number. */
  vouch(decidedBy: string, count: number, digest: string): void;
  /** Signs all that was written, as the instance's last word. */
  end(): void;
  /** Resolves once what was signed is kept, or cannot be. */
  close(): Promise<void>;
}

/**
 * Says of an instance's events what can be proved of them later: that it began, where its chain has
 * come to, signed, and that it ended.
 */
export function openChain(options: ChainOptions): Chain {
  return new SignedChain(options);
}

class SignedChain implements Chain {
  readonly #options: ChainOptions;
  readonly #timer: NodeJS.Timeout;
  /** The newest signed head that is accepted and not kept yet. */
  #unkept: string | null = null;
  #keeping: Promise<void> | null = null;
  #faulty = false;
  #ended = false;

  constructor(options: ChainOptions) {
    this.#options = options;
    this.#begin();
    options.outbox.onUnsigned(HEAD_EVENTS, () => {
      if (!this.#ended && options.outbox.unsigned >= HEAD_EVENTS) this.#sign('chain-head');
    });
    this.#timer = setInterval(() => {
      if (options.outbox.unsigned > 0) this.#sign('chain-head');
    }, HEAD_MS).unref();
  }

  vouch(decidedBy: string, count: number, digest: string): void {
    const { outbox, instance, clock } = this.#options;
    const facts = { type: 'permits-closed', decidedBy, count, digest } as const;
    outbox.recordEnd((seq) => chainEvent(instance, seq, clock.wallMs(), facts), null);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#timer);
    this.#sign('instance-ended');
  }

  async close(): Promise<void> {
    this.end();
    while (this.#keeping !== null) await this.#keeping;
  }

  #begin(): void {
    const { outbox, instance, clock, key, previous, version } = this.#options;
    const { id, publicKey } = key;
    const nowMs = clock.wallMs();
    const facts = {
      type: 'instance-begun',
      previous:
        previous === null
          ? null
          : { instance: previous.instance, seq: previous.seq, chain: previous.chain },
      version,
      key: id,
      publicKey,
    } as const;
    outbox.recordLink((seq, chain) => chainEvent(instance, seq, nowMs, { ...facts, chain }), null);
    this.#keepSoon(async (ledger) => {
      await ledger.keepKey({ key: id, publicKey, instance, time: isoTime(nowMs) });
      await ledger.forgetHeads(nowMs - this.#options.keptMs);
    });
  }

  #sign(type: 'chain-head' | 'instance-ended'): void {
    const { outbox, instance, clock, key } = this.#options;
    let line = '';
    const make = (seq: number, chain: string) => {
      const timeMs = clock.wallMs();
      const signature = key.sign(headText({ instance, seq, chain, time: isoTime(timeMs) }));
      line = chainEvent(instance, seq, timeMs, { type, key: key.id, signature, chain });
      return line;
    };
    outbox.recordLink(make, { accepted: () => this.#keep(line), notAccepted() {} });
  }

  /** One at a time; of those that come meanwhile only the newest. */
  #keep(line: string): void {
    this.#unkept = line;
    if (this.#keeping !== null) return;
    const { instance, folder } = this.#options;
    this.#keepSoon(async (ledger) => {
      for (let head = this.#unkept; head !== null; head = this.#unkept) {
        this.#unkept = null;
        if (folder !== null) await keepHeadIn(folder, head);
        await ledger.keepHead(instance, head);
      }
    });
  }

  #keepSoon(work: (ledger: HeadLedger) => Promise<void>): void {
    const before = this.#keeping;
    const keeping = this.#kept(before, work).finally(() => {
      if (this.#keeping === keeping) this.#keeping = null;
    });
    this.#keeping = keeping;
  }

  async #kept(
    before: Promise<void> | null,
    work: (ledger: HeadLedger) => Promise<void>,
  ): Promise<void> {
    await before;
    try {
      await work(this.#options.ledger ?? NOWHERE);
      this.#faulty = false;
    } catch (fault) {
      if (!this.#faulty) this.#options.onFault(fault);
      this.#faulty = true;
    }
  }
}

const NOWHERE: HeadLedger = {
  async keepHead() {},
  async keepKey() {},
  async forgetHeads() {},
  heads: async () => [],
  keys: async () => [],
};
