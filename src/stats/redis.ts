import { statsKey } from '../store/keys.ts';
import type { RedisConnection } from '../store/redis-port.ts';
import type { InstanceMinute, StatsStore } from './port.ts';
import { decodeCounts, encodeCounts } from './text.ts';
import { HOUR_MINUTES, KEPT_MINUTES, MINUTE_MS } from './times.ts';

/** An hour's hash lives until its last minute is a day old. */
const KEEP_MS = (KEPT_MINUTES + HOUR_MINUTES) * MINUTE_MS;

/**
 * Counts in Redis: one hash per hour, one field per minute and instance. 24 hours of ten instances
 * are 14,400 fields of some 200 bytes.
 */
export class RedisStats implements StatsStore {
  readonly #connection: RedisConnection;
  readonly #prefix: string;

  /** @param connection the owner closes it */
  constructor(connection: RedisConnection, keyPrefix: string) {
    this.#connection = connection;
    this.#prefix = keyPrefix;
  }

  async write({ minute, instance, counts }: InstanceMinute): Promise<void> {
    const key = statsKey(this.#prefix, Math.floor(minute / HOUR_MINUTES));
    await this.#connection.pipeline([
      ['HSET', key, `${minute} ${instance}`, encodeCounts(counts)],
      ['PEXPIRE', key, KEEP_MS],
    ]);
  }

  async read(first: number, last: number): Promise<readonly InstanceMinute[]> {
    const from = Math.floor(first / HOUR_MINUTES);
    const hours = Array.from(
      { length: Math.floor(last / HOUR_MINUTES) - from + 1 },
      (_, index) => from + index,
    );
    const replies = await Promise.all(
      hours.map((hour) => this.#connection.call('HGETALL', statsKey(this.#prefix, hour))),
    );
    return replies.flatMap((reply) =>
      entriesOf(reply).filter(({ minute }) => minute >= first && minute <= last),
    );
  }

  async close(): Promise<void> {}
}

/** A map's reply as the driver gives it: a list of fields and values in turn. */
function entriesOf(reply: unknown): readonly InstanceMinute[] {
  const words = Array.isArray(reply) ? reply.map(String) : [];
  const entries: InstanceMinute[] = [];
  for (let index = 0; index + 1 < words.length; index += 2) {
    const [minute = '', instance = ''] = words[index]!.split(' ');
    const counts = decodeCounts(words[index + 1]!);
    if (counts !== null && /^\d{1,12}$/.test(minute))
      entries.push({ minute: Number(minute), instance, counts });
  }
  return entries;
}
