import { hash } from 'node:crypto';
import { limitKeys } from '../store/keys.ts';
import type { RedisConnection } from '../store/redis.ts';
import { loadScript } from '../store/script.ts';
import type { QuotaAsk, QuotaGrant, QuotaStore } from './quota-port.ts';

/**
 * Slots that buckets are spread over, so that a Cluster can spread them and a batch is still few
 * commands. All instances must agree.
 */
const PARTITIONS = 4;

const LEASE = loadScript('limits-lease');

/** Shared buckets in Redis. */
export class RedisQuotaStore implements QuotaStore {
  readonly #connection: RedisConnection;
  readonly #keys: ReturnType<typeof limitKeys>;

  /**
   * @param connection the owner closes it; its command timeout is how long an answer is waited for
   */
  constructor(connection: RedisConnection, keyPrefix: string) {
    this.#connection = connection;
    this.#keys = limitKeys(keyPrefix);
  }

  async lease(asks: readonly QuotaAsk[]): Promise<readonly (QuotaGrant | null)[]> {
    const grants: (QuotaGrant | null)[] = asks.map(() => null);
    const partitions = Map.groupBy(asks.keys(), (index) => partitionOf(asks[index]!.name));
    await Promise.all(
      partitions
        .entries()
        .map(([partition, indices]) => this.#leaseIn(partition, indices, asks, grants)),
    );
    return grants;
  }

  async #leaseIn(
    partition: number,
    indices: readonly number[],
    asks: readonly QuotaAsk[],
    grants: (QuotaGrant | null)[],
  ): Promise<void> {
    const chosen = indices.map((index) => asks[index]!);
    const keys = chosen.map(({ name }) => this.#keys.bucket(partition, name));
    const words = chosen.flatMap(({ windowMs, requests, debt, want }) => [
      windowMs,
      requests,
      debt,
      want,
    ]);
    try {
      const answer = (await this.#connection.run(LEASE, keys, words)) as (number | string)[];
      for (const [place, index] of indices.entries()) {
        grants[index] = {
          granted: Number(answer[2 * place]),
          levelMs: Number(answer[2 * place + 1]),
        };
      }
    } catch {
      // Away, or not allowed: every bucket of this partition stays unanswered, and the instance
      // goes on with its share.
    }
  }
}

function partitionOf(name: string): number {
  return Number.parseInt(hash('sha1', name, 'hex').slice(0, 8), 16) % PARTITIONS;
}
