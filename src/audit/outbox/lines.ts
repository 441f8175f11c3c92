import type { EventBatch } from '../batch.ts';
import { EventBytes, type WriteEvent } from '../event/bytes.ts';

const FIRST_BYTES = 64 * 1024;
/**
 * Twice what a full batch takes. Larger ones are not kept: they come from single events that were
 * very long.
 */
const KEPT_BYTES = 4 * 1024 * 1024;
/** One is filled while another is under way. */
const SPARES = 2;
const LINE_FEED = 0x0a;
/** As many as two bytes can number, should each be about another account. */
const MOST_EVENTS = 0xffff;

/**
 * The events of one batch, written down as bytes the moment they are made. As strings they would
 * outlive the collections of the young heap while they wait, and be copied by each.
 */
export class EventLines {
  readonly #bytes = new EventBytes(FIRST_BYTES);
  /** Bytes of whole events. */
  #size = 0;
  /** Of each event, in whose activity log it appears. */
  #owners: (string | null)[] = [];

  get count(): number {
    return this.#owners.length;
  }

  /** Bytes written. */
  get size(): number {
    return this.#size;
  }

  /** Memory taken. */
  get capacity(): number {
    return this.#bytes.capacity;
  }

  /**
   * Has one event written. If that throws, it leaves nothing behind.
   *
   * @param account in whose activity log the event appears; null = in none
   * @param chain what the event carries of the chain; null: nothing
   */
  add<Facts>(
    write: WriteEvent<Facts>,
    seq: number,
    facts: Facts,
    account: string | null,
    chain: string | null = null,
  ): void {
    if (this.#owners.length === MOST_EVENTS)
      throw new RangeError('a batch of events has more accounts than can be numbered');
    const bytes = this.#bytes;
    bytes.shorten(this.#size);
    write(bytes, seq, facts);
    if (chain !== null) {
      bytes.shorten(bytes.size - 1); // the brace that ends the event
      bytes.json(`,"chain":"${chain}"}`);
    }
    bytes.byte(LINE_FEED);
    this.#owners.push(account);
    this.#size = bytes.size;
  }

  /** Adds an event that is written already: JSON without a line feed. */
  push(event: string, account: string | null): void {
    this.add(writeJson, 0, event, account);
  }

  /** Whole events, as they are; good until another is added. */
  written(): Buffer {
    this.#bytes.shorten(this.#size);
    return this.#bytes.written();
  }

  /** All of it, for the log. Whoever adds or clears afterwards changes what the log reads. */
  batch(instance: string, firstSeq: number): EventBatch {
    this.#bytes.shorten(this.#size);
    const { accounts, marks } = numbered(this.#owners);
    return {
      instance,
      firstSeq,
      count: this.#owners.length,
      lines: this.#bytes.written(),
      accounts,
      marks,
    };
  }

  clear(): void {
    this.#size = 0;
    this.#owners = [];
  }
}

/** Each account once, and its number for each event (`EventBatch`). */
function numbered(owners: readonly (string | null)[]): Pick<EventBatch, 'accounts' | 'marks'> {
  const numbers = new Map<string, number>();
  const accounts: string[] = [];
  const marks = Buffer.allocUnsafeSlow(2 * owners.length);
  for (let at = 0; at < owners.length; at += 1) {
    const owner = owners[at]!;
    let number = owner === null ? 0 : numbers.get(owner);
    if (number === undefined) {
      number = accounts.push(owner!);
      numbers.set(owner!, number);
    }
    marks[2 * at] = number >> 8;
    marks[2 * at + 1] = number & 0xff;
  }
  return { accounts, marks };
}

function writeJson(bytes: EventBytes, _seq: number, event: string): void {
  bytes.json(event);
}

/** Memory that is used again and again, instead of new for each batch. */
export class SpareLines {
  readonly #spare: EventLines[] = [];

  take(): EventLines {
    return this.#spare.pop() ?? new EventLines();
  }

  /** Only what nobody reads any more. */
  giveBack(lines: EventLines): void {
    if (this.#spare.length === SPARES || lines.capacity > KEPT_BYTES) return;
    lines.clear();
    this.#spare.push(lines);
  }
}

/** Calls with each event (a view, with its line feed) and the account in whose log it appears. */
export function eachEvent(
  { count, lines, accounts, marks }: Pick<EventBatch, 'count' | 'lines' | 'accounts' | 'marks'>,
  take: (event: Buffer, account: string | null) => void,
): void {
  let from = 0;
  for (let i = 0; i < count; i++) {
    const to = lines.indexOf(LINE_FEED, from) + 1;
    take(lines.subarray(from, to), accounts[marks.readUInt16BE(2 * i) - 1] ?? null);
    from = to;
  }
}
