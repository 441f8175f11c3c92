import { randomBytes } from 'node:crypto';
import { usageHoursKey, usageKey, usageSharedKey } from '../../store/keys.ts';
import type { RedisCommand, RedisConnection } from '../../store/redis-port.ts';
import { DAY_HOURS, HOUR_MINUTES, HOUR_MS, KEPT_MINUTES, MINUTE_MS } from '../times.ts';
import {
  type HourState,
  KEPT_HOURS,
  type UsageStore,
  type UsageText,
  type UsageTexts,
  type Written,
} from './port.ts';
import { SUBJECTS, type Subject } from './table.ts';

/**
 * Until the last minute of an hour is a day old, and the last hour of a day as old as hours get.
 */
const MINUTES_MS = (KEPT_MINUTES + HOUR_MINUTES) * MINUTE_MS;
const HOURS_MS = (KEPT_HOURS + DAY_HOURS) * HOUR_MS;

/**
 * In the place of a minute: from how many fields the minutes were put together, and what was
 * written last. An earlier version reads no minute in them.
 */
const FROM = 'from';
const REVISION = 'revision';

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
    const revision = randomBytes(9).toString('base64url');
    // One after the other, on a Cluster too: what `hourStates` tells of the last holds for all.
    for (const of of SUBJECTS) {
      const key = usageKey(this.#prefix, of, hour);
      await this.#connection.pipeline([
        ['HSET', key, `${minute} ${instance}`, texts[of], REVISION, revision],
        ['PEXPIRE', key, MINUTES_MS],
      ]);
    }
  }

  async writeHour(hour: number, texts: UsageTexts, from: Written): Promise<void> {
    const day = Math.floor(hour / DAY_HOURS);
    const [minutes, revision] = fromFieldsOf(hour);
    const made = [minutes, from.minutes, revision, from.revision ?? ''];
    // One after the other, as the minutes: an hour that is half written is made again.
    for (const of of SUBJECTS) {
      const key = usageHoursKey(this.#prefix, of, day);
      await this.#connection.pipeline([
        ['HSET', key, String(hour), texts[of], ...made],
        ['PEXPIRE', key, HOURS_MS],
      ]);
    }
  }

  async writeShared(
    of: Subject,
    hour: number,
    minutes: readonly UsageText[],
    from: Written,
  ): Promise<void> {
    const key = usageSharedKey(this.#prefix, of, hour);
    const fields = minutes.flatMap(({ at, text }) => [String(at), text]);
    await this.#connection.pipeline([
      ['HSET', key, ...fields, FROM, from.minutes, REVISION, from.revision ?? ''],
      ['PEXPIRE', key, MINUTES_MS],
    ]);
  }

  async minutes(of: Subject, hour: number): Promise<readonly UsageText[]> {
    const [key, shared] = [
      usageKey(this.#prefix, of, hour),
      usageSharedKey(this.#prefix, of, hour),
    ];
    const [from, count, revision] = await this.#connection.pipeline([
      ['HMGET', shared, FROM, REVISION],
      ['HLEN', key],
      ['HGET', key, REVISION],
    ]);
    const made = writtenIn(from);
    const isWhole = made?.minutes === Number(count) && made.revision === wordIn(revision);
    const reply = await this.#connection.call('HGETALL', isWhole ? shared : key);
    return pairsOf(reply).flatMap(([field, text]) =>
      field === FROM || field === REVISION ? [] : [{ at: Number(field.split(' ', 1)[0]), text }],
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

  /** Unless one is asked for, of what is written last: it is there for the others too. */
  async hourStates(
    first: number,
    last: number,
    of: Subject = SUBJECTS.at(-1)!,
  ): Promise<readonly HourState[]> {
    const hours = hoursOf(first, last);
    const replies = await this.#connection.pipeline(
      hours.flatMap((hour): RedisCommand[] => [
        ['HLEN', usageKey(this.#prefix, of, hour)],
        ['HGET', usageKey(this.#prefix, of, hour), REVISION],
        [
          'HMGET',
          usageHoursKey(this.#prefix, of, Math.floor(hour / DAY_HOURS)),
          ...fromFieldsOf(hour),
        ],
      ]),
    );
    return hours.map((hour, index) => {
      const [minutes, revision, from] = replies.slice(3 * index);
      const written = { minutes: Number(minutes), revision: wordIn(revision) };
      return { hour, written, made: writtenIn(from) };
    });
  }

  async close(): Promise<void> {}
}

/** Of what that hour was made. */
function fromFieldsOf(hour: number): readonly [minutes: string, revision: string] {
  return [`${hour} ${FROM}`, `${hour} ${REVISION}`];
}

/** What an earlier version has made has no revision. */
function writtenIn(reply: unknown): Written | null {
  const [minutes, revision] = listOf(reply);
  return minutes == null ? null : { minutes: Number(minutes), revision: wordIn(revision) };
}

function wordIn(reply: unknown): string | null {
  return typeof reply === 'string' && reply !== '' ? reply : null;
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
