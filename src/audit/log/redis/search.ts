import { auditKeys } from '../../../store/keys.ts';
import type { RedisConnection } from '../../../store/redis.ts';
import { loadScript } from '../../../store/script.ts';
import { AUDIT_PARTITIONS } from '../../partitions.ts';
import type { AuditReader } from '../../port.ts';
import { unavailable } from './log.ts';

const SEARCH = loadScript('audit-search', { readOnly: true });

/** Events that one command looks at: one to two milliseconds of the server. */
const PIECE = 200;

/** Of each stream: where it is to be read on. */
const PLACE = /^(?:end|\+|\(\d{1,15}-\d{1,15})$/;
const END = 'end';

/**
 * Looks for a text on the server's side, so that what does not hold it never travels: one piece of
 * each stream at a time, so that other commands have their turn in between.
 */
export function createRedisSearch(
  connection: RedisConnection,
  prefix: string,
): AuditReader['search'] {
  const keys = auditKeys(prefix);
  return async ({ text, sinceMs, before }) => {
    const places = placesIn(before);
    const oldest = sinceMs === null ? '-' : String(Math.max(0, sinceMs));
    try {
      const looks = await Promise.all(
        places.map(async (place, n) => {
          if (place === END) return { place, examined: 0, events: [] };
          const words = [place, oldest, PIECE, text] as const;
          const [last = '', examined, ...events] = (await connection.run(
            SEARCH,
            [keys.stream(n)],
            words,
          )) as readonly string[];
          return { place: last === '' ? END : `(${last}`, examined: Number(examined), events };
        }),
      );
      const next = looks.map(({ place }) => place);
      return {
        events: looks.flatMap(({ events }) => events),
        examined: looks.reduce((sum, { examined }) => sum + examined, 0),
        next: next.every((place) => place === END) ? null : next.join(','),
        backToMs: Math.max(sinceMs ?? 0, ...next.flatMap(timeIn)),
      };
    } catch (fault) {
      throw unavailable(fault);
    }
  };
}

/** After the last event that was looked at, where there are more: others may be of that moment. */
function timeIn(place: string): readonly number[] {
  return place === END ? [] : [Number.parseInt(place.slice(1), 10) + 1];
}

/** Throws `RangeError` for what is no cursor of ours. */
function placesIn(cursor: string | null): readonly string[] {
  if (cursor === null) return Array.from({ length: AUDIT_PARTITIONS }, () => '+');
  const places = cursor.split(',');
  if (places.length !== AUDIT_PARTITIONS || !places.every((place) => PLACE.test(place)))
    throw new RangeError('the cursor is not one that this log gave out');
  return places;
}
