import { randomBytes } from 'node:crypto';

/**
 * What session tickets (RFC 5077, RFC 8446 §4.6.1) are sealed with: 16 bytes of name, which every
 * ticket shows in the clear, then a key to authenticate and one to encrypt. Whoever has them can
 * read a recorded TLS 1.2 connection that was resumed; so they live in memory only, and not for
 * long.
 */
export interface TicketKeys {
  /** Seals new tickets. */
  readonly current: Buffer;
  /** Still opens those of the period before; null in the first period. */
  readonly previous: Buffer | null;
}

const KEY_BYTES = 48;
const NAME_BYTES = 16;
/** A ticket lives for five minutes; its key for at most two periods. */
const PERIOD_MS = 3_600_000;

export function newTicketKeys(): TicketKeys {
  return { current: randomBytes(KEY_BYTES), previous: null };
}

export function rotateTicketKeys({ current }: TicketKeys): TicketKeys {
  return { current: randomBytes(KEY_BYTES), previous: current };
}

/** How a ticket says which key opens it. */
export function ticketKeyName(key: Buffer): Buffer {
  return key.subarray(0, NAME_BYTES);
}

/**
 * New keys every hour. One per instance: its workers are handed the same keys, so that a client may
 * resume with any of them.
 */
export class TicketRotation {
  readonly #timer: NodeJS.Timeout;
  #keys = newTicketKeys();

  constructor(onChange: (keys: TicketKeys) => void, periodMs = PERIOD_MS) {
    this.#timer = setInterval(() => {
      this.#keys = rotateTicketKeys(this.#keys);
      onChange(this.#keys);
    }, periodMs).unref();
  }

  get keys(): TicketKeys {
    return this.#keys;
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
