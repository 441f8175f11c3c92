import { auditKeys } from '../../../store/keys.ts';
import type { RedisConnection } from '../../../store/redis.ts';
import { NOTICE_LOG } from '../../event/notice-event.ts';
import { AUDIT_PARTITIONS } from '../../partitions.ts';
import type { AuditReader, EventPage } from '../../port.ts';
import { unavailable } from './log.ts';
import { createRedisScan } from './scan.ts';
import { createRedisSearch } from './search.ts';

/** One stream entry: where it stands and what it says. */
interface Entry {
  readonly ms: number;
  readonly n: number;
  readonly partition: number;
  readonly event: string;
}

/** Longest page; a caller who asks for more gets this many. */
const MAX_PAGE = 500;

const CURSOR = /^(\d{1,15})-(\d{1,15})(?:~(\d{1,3}))?$/;

/** Reads what the audit log wrote. `connection`: its owner closes it. */
export function createRedisAuditReader(connection: RedisConnection, prefix: string): AuditReader {
  const keys = auditKeys(prefix);

  async function read(
    key: string,
    end: string,
    limit: number,
    partition: number,
    start = '-',
  ): Promise<Entry[]> {
    try {
      const reply = await connection.call('XREVRANGE', key, end, start, 'COUNT', limit);
      return (reply as readonly [string, readonly string[]][]).map(([id, fields]) =>
        entryOf(id, fields, partition),
      );
    } catch (fault) {
      throw unavailable(fault);
    }
  }

  async function oldestIn(key: string): Promise<number | null> {
    try {
      const reply = await connection.call('XRANGE', key, '-', '+', 'COUNT', 1);
      const [first] = reply as readonly (readonly [string, readonly string[]])[];
      return first === undefined ? null : Number.parseInt(first[0], 10);
    } catch (fault) {
      throw unavailable(fault);
    }
  }

  return {
    async activity({ account, before, limit }) {
      const from = before === null ? null : parseCursor(before);
      const end = from === null ? '+' : `(${from.ms}-${from.n}`;
      const wanted = pageSize(limit);
      return page(await read(keys.activity(account), end, wanted + 1, 0), wanted);
    },
    async tail({ before, limit, sinceMs = null }) {
      const from = before === null ? null : parseCursor(before);
      const wanted = pageSize(limit);
      const start = sinceMs === null ? '-' : String(Math.max(0, sinceMs));
      const partitions = await Promise.all(
        Array.from({ length: AUDIT_PARTITIONS }, (_, n) =>
          read(keys.stream(n), endOf(from, n), wanted + 1, n, start),
        ),
      );
      return page(partitions.flat().sort(newestFirst), wanted);
    },
    async noticesAfter(after, limit) {
      const key = keys.activity(NOTICE_LOG);
      try {
        const found =
          after === null
            ? await connection.call('XREVRANGE', key, '+', '-', 'COUNT', 1)
            : await connection.call('XRANGE', key, `(${placeIn(after)}`, '+', 'COUNT', limit);
        const entries = found as readonly [string, readonly string[]][];
        const items = entries.map(([at, fields]) => ({ at, event: fields[1] ?? '' }));
        return {
          items: after === null ? [] : items,
          end: items.at(-1)?.at ?? after ?? '0-0',
        };
      } catch (fault) {
        throw unavailable(fault);
      }
    },
    async oldestMs() {
      const oldest = await Promise.all(
        Array.from({ length: AUDIT_PARTITIONS }, async (_, n) => oldestIn(keys.stream(n))),
      );
      const times = oldest.flatMap((ms) => ms ?? []);
      return times.length === 0 ? null : Math.min(...times);
    },
    record: createRedisScan(connection, prefix),
    search: createRedisSearch(connection, prefix),
    close: async () => {},
  };
}

function entryOf(id: string, fields: readonly string[], partition: number): Entry {
  const [ms = 0, n = 0] = id.split('-').map(Number);
  return { ms, n, partition, event: fields[1] ?? '' };
}

/**
 * Entries of different partitions may carry the same id; then the partition decides, always in the
 * same way.
 */
function newestFirst(a: Entry, b: Entry): number {
  return b.ms - a.ms || b.n - a.n || b.partition - a.partition;
}

function endOf(from: Position | null, partition: number): string {
  if (from === null) return '+';
  return partition < from.partition ? `${from.ms}-${from.n}` : `(${from.ms}-${from.n}`;
}

function page(entries: readonly Entry[], wanted: number): EventPage {
  const shown = entries.slice(0, wanted);
  const cursors = shown.map(({ ms, n, partition }) => `${ms}-${n}~${partition}`);
  const next = entries.length > wanted ? (cursors.at(-1) ?? null) : null;
  return { events: shown.map((entry) => entry.event), cursors, next };
}

interface Position {
  readonly ms: number;
  readonly n: number;
  readonly partition: number;
}

/** Throws `RangeError` for what is no place of a log. */
function placeIn(text: string): string {
  const { ms, n } = parseCursor(text);
  return `${ms}-${n}`;
}

/** Throws `RangeError` for what is no cursor of ours. */
function parseCursor(text: string): Position {
  const parts = CURSOR.exec(text);
  if (parts === null) throw new RangeError('the cursor is not one that this log gave out');
  return { ms: Number(parts[1]), n: Number(parts[2]), partition: Number(parts[3] ?? 0) };
}

function pageSize(limit: number): number {
  return Math.min(MAX_PAGE, Math.max(1, Math.trunc(limit)));
}
