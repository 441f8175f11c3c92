import type { AuditKeys } from '../../../store/keys.ts';
import type { RedisConnection } from '../../../store/redis.ts';

/** One event of the record, and when the store took it, in ms since 1970. */
export interface RecordedEvent {
  readonly ms: number;
  readonly event: string;
}

type Entry = readonly [id: string, fields: readonly string[]];

/** Events of one partition that are read together. */
const PAGE = 500;

/** One partition, read forward. */
class Partition {
  readonly #connection: RedisConnection;
  readonly #stream: string;
  #page: readonly Entry[] = [];
  #at = 0;
  #after = '0-0';
  #wholeTo = -1;

  constructor(connection: RedisConnection, stream: string) {
    this.#connection = connection;
    this.#stream = stream;
  }

  /** The next entry up to that time; null: there is none. */
  async next(untilMs: number): Promise<Entry | null> {
    const entry = this.#page[this.#at];
    if (entry !== undefined) return entry;
    if (this.#wholeTo >= untilMs) return null;
    const words = [this.#stream, `(${this.#after}`, untilMs, 'COUNT', PAGE] as const;
    this.#page = (await this.#connection.call('XRANGE', ...words)) as readonly Entry[];
    this.#at = 0;
    if (this.#page.length < PAGE) this.#wholeTo = untilMs;
    return this.#page[0] ?? null;
  }

  pass(): void {
    this.#after = this.#page[this.#at]![0];
    this.#at += 1;
  }
}

/** The whole record in the order of time, oldest first, read piece by piece. */
export class MergedRecord {
  readonly #connection: RedisConnection;
  readonly #streams: readonly string[];
  readonly #partitions: readonly Partition[];

  constructor(connection: RedisConnection, keys: AuditKeys, partitions: number) {
    this.#connection = connection;
    this.#streams = Array.from({ length: partitions }, (_, n) => keys.stream(n));
    this.#partitions = this.#streams.map((stream) => new Partition(connection, stream));
  }

  /** How many events it has. */
  async size(): Promise<number> {
    const sizes = this.#streams.map((stream) => this.#connection.call('XLEN', stream));
    return (await Promise.all(sizes)).reduce<number>((total, size) => total + Number(size), 0);
  }

  /** The time at the server whose clock is furthest behind, in ms since 1970. */
  async nowMs(): Promise<number> {
    const times = this.#streams.map(async (stream) => {
      const [seconds, micros] = (await this.#connection.callAt(stream, 'TIME')) as string[];
      return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
    });
    return Math.min(...(await Promise.all(times)));
  }

  /** What is there up to that time and was not read yet. */
  async *until(untilMs: number): AsyncGenerator<RecordedEvent> {
    for (;;) {
      let first: Partition | null = null;
      let entry: Entry | null = null;
      for (const partition of this.#partitions) {
        const next = await partition.next(untilMs);
        if (next === null || (entry !== null && !isBefore(next[0], entry[0]))) continue;
        entry = next;
        first = partition;
      }
      if (first === null || entry === null) return;
      first.pass();
      yield { ms: timeIn(entry[0]), event: entry[1][1] ?? '' };
    }
  }
}

function isBefore(a: string, b: string): boolean {
  const difference = timeIn(a) - timeIn(b);
  return difference < 0 || (difference === 0 && Number(a.split('-')[1]) < Number(b.split('-')[1]));
}

function timeIn(id: string): number {
  return Number.parseInt(id, 10);
}
