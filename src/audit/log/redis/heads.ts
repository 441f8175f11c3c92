import { auditKeys } from '../../../store/keys.ts';
import type { RedisConnection } from '../../../store/redis.ts';
import { placeIn } from '../../chain/head-file.ts';
import { type HeadLedger, type KnownKey, knownKeyIn } from '../../chain/ledger.ts';

export interface RedisHeadsOptions {
  readonly connection: RedisConnection;
  readonly prefix: string;
  /** How many streams the record is spread over, and which of them is an instance's. */
  readonly partitions: number;
  readonly partitionOf: (instance: string) => number;
  readonly unavailable: (fault: unknown) => Error;
}

/** Signed heads lie beside the stream of their instance, keys beside the first one. */
export function createRedisHeads(options: RedisHeadsOptions): HeadLedger {
  const { connection, partitions, partitionOf } = options;
  const keys = auditKeys(options.prefix);
  const call = async (...words: [string, ...(string | number)[]]): Promise<unknown> => {
    try {
      return await connection.call(...words);
    } catch (fault) {
      throw options.unavailable(fault);
    }
  };
  const all = Array.from({ length: partitions }, (_, partition) => keys.heads(partition));
  const valuesOf = async (key: string) => {
    const found = (await call('HGETALL', key)) as readonly string[];
    return found.filter((_, index) => index % 2 === 1).map(String);
  };
  return {
    async keepHead(instance, line) {
      await call('HSET', keys.heads(partitionOf(instance)), instance, line);
    },
    async keepKey(key: KnownKey) {
      await call('HSETNX', keys.chainKeys, key.key, JSON.stringify(key));
    },
    async forgetHeads(beforeMs) {
      for (const key of all)
        for (const line of await valuesOf(key)) {
          const place = placeIn(line);
          if (place !== null && Date.parse(place.time) < beforeMs)
            await call('HDEL', key, place.instance);
        }
    },
    heads: async () => (await Promise.all(all.map(valuesOf))).flat(),
    async keys() {
      const known = (await valuesOf(keys.chainKeys)).map(knownKeyIn);
      return known.filter((one) => one !== null);
    },
  };
}
