import type { Account } from '../account/model.ts';
import type { RedisCommand } from '../store/redis.ts';
import { decodeAccount } from './codec.ts';
import type { Position } from './port.ts';
import { positionFrom } from './redis-reply.ts';

type Found = Position & { readonly account: Account | null };

/** Accounts asked for in one command at most. */
const MOST = 256;

/**
 * Look-ups of accounts that come in the same turn of the event loop travel as one command: a flood of unknown ids, or a fresh instance that meets all its callers at
 * once, costs a round trip and one command instead of hundreds.
 */
export class AccountLookups {
  readonly #keyOf: (id: string) => string;
  readonly #read: (keys: readonly string[], commands: readonly RedisCommand[]) => Promise<unknown[]>;
  #open = new Map<string, PromiseWithResolvers<Found>>();

  /** @param read answers with `meta` first and then with the replies, all of one moment */
  constructor(
    keyOf: (id: string) => string,
    read: (keys: readonly string[], commands: readonly RedisCommand[]) => Promise<unknown[]>,
  ) {
    this.#keyOf = keyOf;
    this.#read = read;
  }

  ask(id: string): Promise<Found> {
    let answer = this.#open.get(id);
    if (answer === undefined) {
      answer = Promise.withResolvers<Found>();
      this.#open.set(id, answer);
      if (this.#open.size === 1) setImmediate(() => this.#send());
      if (this.#open.size === MOST) this.#send();
    }
    return answer.promise;
  }

  #send(): void {
    const asked = this.#open;
    if (asked.size === 0) return;
    this.#open = new Map();
    const keys = [...asked.keys()].map(this.#keyOf);
    this.#read(
      keys,
      keys.map((key) => ['GET', key]),
    ).then(
      ([meta, ...texts]) => settle(asked, meta, texts),
      (fault: unknown) => {
        for (const answer of asked.values()) answer.reject(fault);
      },
    );
  }
}

/** Each on its own: a record that cannot be read is the fault of its own look-up only. */
function settle(asked: ReadonlyMap<string, PromiseWithResolvers<Found>>, meta: unknown, texts: readonly unknown[]): void {
  for (const [index, [id, answer]] of [...asked].entries()) {
    try {
      const text = texts[index];
      answer.resolve({ ...positionFrom(meta), account: typeof text === 'string' ? decodeAccount(id, text) : null });
    } catch (fault) {
      answer.reject(fault);
    }
  }
}
