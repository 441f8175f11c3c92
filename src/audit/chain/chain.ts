import type { Clock } from '../../clock.ts';
import { chainEvent } from '../event/chain-event.ts';
import { isoTime } from '../event/text.ts';
import { onRecord } from '../outbox/on-record.ts';
import type { BatchingOutbox } from '../outbox/outbox.ts';
import type { WrittenOutcomes } from '../permits/ledger.ts';
import { Cuts } from './cuts.ts';
import { keepHeadIn } from './head-file.ts';
import type { ChainKey } from './key.ts';
import type { HeadLedger } from './ledger.ts';
import { type ChainPlace, headText, type LastHead } from './signed.ts';
import type { CutWitness } from './witness.ts';

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
/**
 * Between two keepings: each is an fsync and two commands, and under load there are 20 heads a
 * second.
 */
const KEEP_MS = 1_000;

export interface Chain {
  /**
   * Vouches for events without a number. Resolves once that is accepted. Throws `AuditUnavailable`
   * when it is not certain to be.
   */
  vouch(written: WrittenOutcomes): Promise<void>;
  /** Signs what retention cuts, and records it. */
  readonly cuts: CutWitness;
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
  readonly #ledger: HeadLedger;
  readonly #timer: NodeJS.Timeout;
  readonly #beganMs: number;
  readonly cuts: Cuts;
  #lastHead: LastHead;
  #isKeyKept = false;
  /** The newest signed head that is accepted and not kept yet. */
  #unkept: string | null = null;
  #keeping: Promise<void> | null = null;
  /** When the last keeping began. */
  #keepingMs = Number.NEGATIVE_INFINITY;
  #nextKeeping: NodeJS.Timeout | null = null;
  #isFaulty = false;
  #ended = false;

  constructor(options: ChainOptions) {
    this.#options = options;
    this.#ledger = options.ledger ?? NOWHERE;
    this.#beganMs = options.clock.wallMs();
    this.#lastHead = { number: 1, time: isoTime(this.#beganMs) };
    this.cuts = new Cuts(options);
    this.#begin();
    options.outbox.onUnsigned(HEAD_EVENTS, () => {
      if (!this.#ended && options.outbox.unsigned >= HEAD_EVENTS) this.#sign('chain-head');
    });
    this.#timer = setInterval(() => {
      this.cuts.tell();
      if (options.outbox.unsigned > 0) this.#sign('chain-head');
      this.#keepSoon();
    }, HEAD_MS).unref();
    this.#keepSoon();
  }

  vouch({ by, decidedBy, count, digest }: WrittenOutcomes): Promise<void> {
    const { outbox, instance, clock } = this.#options;
    const ofInstance = by === instance ? {} : { ofInstance: by };
    const facts = { type: 'permits-closed', decidedBy, count, digest, ...ofInstance } as const;
    return onRecord(outbox, (seq) => chainEvent(instance, seq, clock.wallMs(), facts));
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#timer);
    if (this.#nextKeeping !== null) clearTimeout(this.#nextKeeping);
    this.cuts.end();
    this.#sign('instance-ended');
  }

  async close(): Promise<void> {
    this.end();
    await this.#keeping;
    this.#keepSoon();
    await this.#keeping;
  }

  #begin(): void {
    const { outbox, instance, key, previous, version } = this.#options;
    const before =
      previous === null
        ? null
        : { instance: previous.instance, seq: previous.seq, chain: previous.chain };
    const { id, publicKey } = key;
    const facts = {
      type: 'instance-begun',
      previous: before,
      version,
      key: id,
      publicKey,
    } as const;
    outbox.recordLink(
      (seq, chain) => chainEvent(instance, seq, this.#beganMs, { ...facts, chain }),
      null,
    );
  }

  #sign(type: 'chain-head' | 'instance-ended'): void {
    const { outbox, instance, clock, key } = this.#options;
    let line = '';
    const make = (seq: number, chain: string) => {
      const timeMs = clock.wallMs();
      const time = isoTime(timeMs);
      const lastHead = this.#lastHead;
      const signature = key.sign(headText({ instance, seq, chain, time }, lastHead));
      line = chainEvent(instance, seq, timeMs, { type, lastHead, key: key.id, signature, chain });
      this.#lastHead = { number: seq, time };
      return line;
    };
    const accepted = () => {
      this.#unkept = line;
      this.#keepSoon();
    };
    outbox.recordLink(make, { accepted, notAccepted() {} });
  }

  /**
   * At most once a second, and at the end. What could not be kept is tried again with the next
   * head, every ten seconds, and at the end.
   */
  #keepSoon(): void {
    if (this.#isKeyKept && this.#unkept === null) return;
    if (this.#keeping !== null) return;
    const nowMs = this.#options.clock.monotonicMs();
    const restMs = this.#ended ? 0 : this.#keepingMs + KEEP_MS - nowMs;
    if (restMs > 0) {
      this.#nextKeeping ??= setTimeout(() => this.#keepLater(), restMs).unref();
      return;
    }
    this.#keepingMs = nowMs;
    this.#keeping = this.#keepAll().then(
      () => this.#kept(null),
      (fault: unknown) => this.#kept(fault),
    );
  }

  #keepLater(): void {
    this.#nextKeeping = null;
    this.#keepSoon();
  }

  #kept(fault: unknown): void {
    this.#keeping = null;
    if (fault !== null && !this.#isFaulty) this.#options.onFault(fault);
    this.#isFaulty = fault !== null;
    // One may have been accepted since the last look.
    if (fault === null) this.#keepSoon();
  }

  /** Of the heads that come meanwhile only the newest. */
  async #keepAll(): Promise<void> {
    const [key] = await Promise.allSettled([this.#keepKey()]);
    for (let head = this.#unkept; head !== null; head = this.#unkept) {
      await this.#keepHead(head);
      if (this.#unkept === head) this.#unkept = null;
    }
    if (key.status === 'rejected') throw key.reason;
  }

  /** With each head again: a store that has lost what it had (a failover) knows no key either. */
  async #keepKey(): Promise<void> {
    const { instance, key, keptMs } = this.#options;
    const { id, publicKey } = key;
    await this.#ledger.keepKey({ key: id, publicKey, instance, time: isoTime(this.#beganMs) });
    if (!this.#isKeyKept) await this.#ledger.forgetHeads(this.#beganMs - keptMs);
    this.#isKeyKept = true;
  }

  /** In both places, whatever goes wrong with one of them. */
  async #keepHead(head: string): Promise<void> {
    const { folder, instance } = this.#options;
    const results = await Promise.allSettled([
      folder === null ? null : keepHeadIn(folder, head),
      this.#ledger.keepHead(instance, head),
    ]);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }
}

const NOWHERE: HeadLedger = {
  async keepHead() {},
  async keepKey() {},
  async forgetHeads() {},
  heads: async () => [],
  keys: async () => [],
};
