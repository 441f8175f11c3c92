import type { EventBatch } from '../batch.ts';

const FIRST_BYTES = 64 * 1024;
const FIRST_EVENTS = 128;
/**
 * Twice what a full batch takes. Larger ones are not kept: they come from single events that were
 * very long.
 */
const KEPT_BYTES = 4 * 1024 * 1024;
/** One is filled while another is under way. */
const SPARES = 2;
/**
 * UTF-8 of one UTF-16 unit (RFC 3629 §3; surrogates come in pairs and need four bytes for two
 * units).
 */
const BYTES_PER_UNIT = 3;
const LINE_FEED = 0x0a;
/** What two bytes can number. */
const MAX_ACCOUNTS = 0xffff;

/**
 * The events of one batch, written down as bytes the moment they are made. As strings they would
 * outlive the collections of the young heap while they wait, and be copied by each.
 */
export class EventLines {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #marks = Buffer.allocUnsafeSlow(2 * FIRST_EVENTS);
  #used = 0;
  #count = 0;
  #accounts: string[] = [];
  readonly #numbers = new Map<string, number>();
  /** Of the last event: a decision is often followed by the outcome of the same account. */
  #account: string | null = null;
  #number = 0;

  get count(): number {
    return this.#count;
  }

  /** Bytes written. */
  get size(): number {
    return this.#used;
  }

  /** Memory taken. */
  get capacity(): number {
    return this.#bytes.length + this.#marks.length;
  }

  /** @param account in whose activity log the event appears; null = in none */
  push(event: string, account: string | null): void {
    const number = account === this.#account ? this.#number : this.#numberOf(account);
    const room = event.length * BYTES_PER_UNIT + 1;
    if (this.#used + room > this.#bytes.length) this.#bytes = grown(this.#bytes, this.#used, room);
    this.#used += this.#bytes.write(event, this.#used);
    this.#bytes[this.#used++] = LINE_FEED;
    this.#mark(number);
  }

  /** All of it, for the log. Whoever pushes or clears afterwards changes what the log reads. */
  batch(instance: string, firstSeq: number): EventBatch {
    return {
      instance,
      firstSeq,
      count: this.#count,
      lines: this.#bytes.subarray(0, this.#used),
      accounts: this.#accounts,
      marks: this.#marks.subarray(0, 2 * this.#count),
    };
  }

  clear(): void {
    this.#used = 0;
    this.#count = 0;
    this.#accounts = [];
    this.#numbers.clear();
    this.#account = null;
    this.#number = 0;
  }

  #mark(number: number): void {
    const at = 2 * this.#count;
    if (at === this.#marks.length) this.#marks = grown(this.#marks, at, 2);
    this.#marks[at] = number >> 8;
    this.#marks[at + 1] = number & 0xff;
    this.#count++;
  }

  #numberOf(account: string | null): number {
    this.#account = account;
    this.#number = account === null ? 0 : (this.#numbers.get(account) ?? this.#added(account));
    return this.#number;
  }

  #added(account: string): number {
    if (this.#accounts.length === MAX_ACCOUNTS)
      throw new RangeError('a batch of events has more accounts than can be numbered');
    const number = this.#accounts.push(account);
    this.#numbers.set(account, number);
    return number;
  }
}

function grown(bytes: Buffer, used: number, room: number): Buffer<ArrayBuffer> {
  const larger = Buffer.allocUnsafeSlow(Math.max(bytes.length * 2, used + room));
  bytes.copy(larger, 0, 0, used);
  return larger;
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
