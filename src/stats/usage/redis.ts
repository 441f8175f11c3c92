import { usageHoursKey, usageKey, usageSharedKey } from '../../store/keys.ts';
import type { RedisCommand, RedisConnection } from '../../store/redis-port.ts';
import { DAY_HOURS, HOUR_MINUTES, HOUR_MS, KEPT_MINUTES, MINUTE_MS } from '../times.ts';
import {
  type HourState,
  KEPT_HOURS,
  type UsageStore,
  type UsageText,
  type UsageTexts,
} from './port.ts';
import { SUBJECTS, type Subject } from './table.ts';

/**
 * Until the last minute of an hour is a day old, and the last hour of a day as old as hours get.
 */
const MINUTES_MS = (KEPT_MINUTES + HOUR_MINUTES) * MINUTE_MS;
const HOURS_MS = (KEPT_HOURS + DAY_HOURS) * HOUR_MS;

/** In the place of a minute: from how many fields the minutes were put together. */
const FROM = 'from';

/** Hashes with a time to live: one per hour of minutes, one per day of hours, for each subject. */
export class RedisUsage implements UsageStore {
  readonly #connection: RedisConnection;
  readonly #prefix: string;

  /** @param connection the owner closes it */
  constructor(connection: RedisConnection, keyPrefix: string) {
    this.#connection = connection;
    this.#prefix = keyPrefix;
  }

  async writeMinute(minute: number, instance: string, texts: UsageTexts): Promise<void> {
    const hour = Math.floor(minute / HOUR_MINUTES);
    await this.#connection.pipeline(
      SUBJECTS.flatMap((of): RedisCommand[] => {
        const key = usageKey(this.#prefix, of, hour);
        return [
          ['HSET', key, `${minute} ${instance}`, texts[of]],
          ['PEXPIRE', key, MINUTES_MS],
        ];
      }),
    );
  }

  async writeHour(hour: number, texts: UsageTexts, madeFrom: number): Promise<void> {
    const day = Math.floor(hour / DAY_HOURS);
    await this.#connection.pipeline(
      SUBJECTS.flatMap((of): RedisCommand[] => {
        const key = usageHoursKey(this.#prefix, of, day);
        return [
          ['HSET', key, String(hour), texts[of], fromField(hour), madeFrom],
          ['PEXPIRE', key, HOURS_MS],
        ];
      }),
    );
  }

  async writeShared(
    of: Subject,
    hour: number,
    minutes: readonly UsageText[],
    madeFrom: number,
  ): Promise<void> {
    const key = usageSharedKey(this.#prefix, of, hour);
    const fields = minutes.flatMap(({ at, text }) => [String(at), text]);
    await this.#connection.pipeline([
      ['HSET', key, ...fields, FROM, madeFrom],
      ['PEXPIRE', key, MINUTES_MS],
    ]);
  }

  async minutes(of: Subject, hour: number): Promise<readonly UsageText[]> {
    const [key, shared] = [
      usageKey(this.#prefix, of, hour),
      usageSharedKey(this.#prefix, of, hour),
    ];
    const [madeFrom, written] = await this.#connection.pipeline([
      ['HGET', shared, FROM],
      ['HLEN', key],
    ]);
    const isWhole = madeFrom != null && Number(madeFrom) === Number(written);
    const reply = await this.#connection.call('HGETALL', isWhole ? shared : key);
    return pairsOf(reply).flatMap(([field, text]) =>
      field === FROM ? [] : [{ at: Number(field.split(' ', 1)[0]), text }],
    );
  }

  /** A day at a time: what one reply holds is bounded by that. */
  async hours(of: Subject, first: number, last: number): Promise<readonly UsageText[]> {
    const found: UsageText[] = [];
    for (let from = first; from <= last; from = dayAfter(from)) {
      const fields = hoursOf(from, Math.min(last, dayAfter(from) - 1));
      const key = usageHoursKey(this.#prefix, of, Math.floor(from / DAY_HOURS));
      const texts = listOf(await this.#connection.call('HMGET', key, ...fields));
      fields.forEach((at, index) => {
        const text = texts[index];
        if (typeof text === 'string') found.push({ at, text });
      });
    }
    return found;
  }

  async hourStates(first: number, last: number): Promise<readonly HourState[]> {
    // Any of the subjects would do: all are written together.
    const of = 'route';
    const hours = hoursOf(first, last);
    const replies = await this.#connection.pipeline(
      hours.flatMap((hour): RedisCommand[] => [
        ['HLEN', usageKey(this.#prefix, of, hour)],
        ['HGET', usageHoursKey(this.#prefix, of, Math.floor(hour / DAY_HOURS)), fromField(hour)],
      ]),
    );
    return hours.map((hour, index) => {
      const [minutes, madeFrom] = [replies[2 * index], replies[2 * index + 1]];
      return {
        hour,
        minutes: Number(minutes),
        madeFrom: madeFrom == null ? null : Number(madeFrom),
      };
    });
  }

  async close(): Promise<void> {}
}

/** From how many minutes that hour was made. */
function fromField(hour: number): string {
  return `${hour} from`;
}

function dayAfter(hour: number): number {
  return (Math.floor(hour / DAY_HOURS) + 1) * DAY_HOURS;
}

function hoursOf(first: number, last: number): readonly number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
}

function listOf(reply: unknown): readonly unknown[] {
  return Array.isArray(reply) ? reply : [];
}

/** A map's reply as the driver gives it: a list of fields and values in turn. */
function pairsOf(reply: unknown): readonly (readonly [field: string, value: string])[] {
  const words = listOf(reply).map(String);
  const pairs: [string, string][] = [];
  for (let index = 0; index + 1 < words.length; index += 2)
    pairs.push([words[index]!, words[index + 1]!]);
  return pairs;
}
