import { auditKeys } from '../../../store/keys.ts';
import type { RedisConnection } from '../../../store/redis.ts';
import { AUDIT_PARTITIONS, partitionOf } from '../../partitions.ts';
import type { AuditScan } from '../../port.ts';
import { anchorsIn } from './anchors.ts';
import { createRedisHeads } from './heads.ts';
import { unavailable } from './log.ts';

/** The partition that comes next, and how far each has been read. */
const PLACE = /^[0-3](?:~\d{1,15}-\d{1,15})+$/;
const START = '0-0';

type Entry = readonly [string, readonly string[]];

/**
 * Reads forward, one partition after the other: an instance has all its events in one of them.
 * Needs the right to read the streams and what lies beside them.
 */
export function createRedisScan(connection: RedisConnection, prefix: string): AuditScan {
  const keys = auditKeys(prefix);
  const all = Array.from({ length: AUDIT_PARTITIONS }, (_, partition) => partition);
  const call = async (...words: [string, ...(string | number)[]]): Promise<unknown> => {
    try {
      return await connection.call(...words);
    } catch (fault) {
      throw unavailable(fault);
    }
  };
  const ledger = createRedisHeads({
    ...{ connection, prefix, partitionOf, unavailable },
    partitions: AUDIT_PARTITIONS,
  });
  return {
    async scan({ after, limit }) {
      const { partition, places } = placeIn(after);
      const words = [keys.stream(partition), `(${places[partition]}`, '+', 'COUNT', limit] as const;
      const entries = (await call('XRANGE', ...words)) as readonly Entry[];
      places[partition] = entries.at(-1)?.[0] ?? places[partition]!;
      const events = entries.map(([, fields]) => eventIn(fields));
      const done = entries.length < limit;
      const at = done ? (partition + 1) % AUDIT_PARTITIONS : partition;
      const next = [at, ...places].join('~');
      return { events, next, isEnd: done && partition === AUDIT_PARTITIONS - 1 };
    },
    async size() {
      const sizes = await Promise.all(all.map((n) => call('XLEN', keys.stream(n))));
      return sizes.reduce<number>((total, size) => total + Number(size), 0);
    },
    heads: () => ledger.heads(),
    keys: () => ledger.keys(),
    anchors: () => anchorsIn(call, prefix),
  };
}

/** Consumers read fields by their names. What could be read in two ways is no event. */
function eventIn(fields: readonly string[]): string {
  return fields.length === 2 && fields[0] === 'e' ? fields[1]! : '';
}

function placeIn(after: string | null): { partition: number; places: string[] } {
  if (after === null)
    return { partition: 0, places: Array.from({ length: AUDIT_PARTITIONS }, () => START) };
  const [partition = '', ...places] = after.split('~');
  if (!PLACE.test(after) || places.length !== AUDIT_PARTITIONS)
    throw new RangeError('the place is not one that this log gave out');
  return { partition: Number(partition), places };
}
