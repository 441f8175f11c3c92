import { randomBytes } from 'node:crypto';
import { StoreUnavailable } from '../../../store/fault.ts';
import { auditKeys } from '../../../store/keys.ts';
import type { RedisConnection } from '../../../store/redis.ts';
import type { ClientAddresses } from '../../event/client-address.ts';

export interface AddressKeyOptions {
  readonly connection: RedisConnection;
  /** Of the keys of the audit. */
  readonly prefix: string;
  readonly addresses: ClientAddresses;
  /** The key cannot be had; told once per outage. */
  readonly onFault: (fault: StoreUnavailable) => void;
}

const KEY_BYTES = 32;
const LOOK_MS = { without: 500, with: 10_000 } as const;

/**
 * The key by which addresses of clients are hashed, the same for all instances. The first one makes
 * it; each looks again and again, and puts it back where the store has lost it.
 */
export class AddressKey {
  readonly #options: AddressKeyOptions;
  #own = randomBytes(KEY_BYTES);
  #known = false;
  #faulty = false;
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void>;

  constructor(options: AddressKeyOptions) {
    this.#options = options;
    this.#looking = this.#look();
  }

  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#looking;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    const { connection, prefix, addresses, onFault } = this.#options;
    const key = auditKeys(prefix).addressKey;
    const mine = this.#own.toString('base64url');
    try {
      const found = await connection.call('SET', key, mine, 'NX', 'GET');
      if (typeof found === 'string') this.#own = keyIn(found);
      addresses.useKey(this.#own);
      this.#known = true;
      this.#faulty = false;
    } catch (fault) {
      if (!(fault instanceof StoreUnavailable)) throw fault;
      if (!this.#faulty) onFault(fault);
      this.#faulty = true;
    }
    this.#timer = setTimeout(
      () => {
        this.#looking = this.#look();
      },
      this.#known ? LOOK_MS.with : LOOK_MS.without,
    ).unref();
  }
}

/** What is no key of ours is not used: a short one could be guessed. */
function keyIn(text: string): Buffer<ArrayBuffer> {
  const key = Buffer.from(text, 'base64url');
  if (key.length === KEY_BYTES) return key;
  throw new StoreUnavailable('refused', null, 'the key of client addresses is no key of 32 bytes');
}
