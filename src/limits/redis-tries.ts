import { triesKey } from '../store/keys.ts';
import type { RedisConnection } from '../store/redis-port.ts';
import { loadScript } from '../store/script.ts';
import type { TryCharged, TryCount, TryStore } from './tries-port.ts';

const CHARGE = loadScript('tries-charge');

/**
 * Counts in Redis, by its clock: a count is a key that lives as long as the count is above nothing.
 */
export class RedisTries implements TryStore {
  readonly #connection: RedisConnection;
  readonly #prefix: string;

  /**
   * @param connection the owner closes it; its user must be the one that administers (`manager`)
   */
  constructor(connection: RedisConnection, keyPrefix: string) {
    this.#connection = connection;
    this.#prefix = keyPrefix;
  }

  async charge(counts: readonly TryCount[]): Promise<TryCharged> {
    const [waitMs, nextWaitMs] = await this.#run(counts, 1);
    return { waitMs: Number(waitMs), nextWaitMs: Number(nextWaitMs) };
  }

  async giveBack(counts: readonly TryCount[]): Promise<void> {
    await this.#run(counts, -1);
  }

  async close(): Promise<void> {}

  async #run(counts: readonly TryCount[], tries: 1 | -1): Promise<readonly unknown[]> {
    const keys = counts.map(({ key }) => triesKey(this.#prefix, key));
    const words = counts.flatMap(({ costMs, mostMs }) => [tries * costMs, mostMs]);
    return (await this.#connection.run(CHARGE, keys, words)) as unknown[];
  }
}
