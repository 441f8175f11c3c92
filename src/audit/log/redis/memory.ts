/** What a Redis server says of its memory. */
export interface Memory {
  /** Which server: its run id. */
  readonly server: string;
  /** `maxmemory` in bytes; 0 = none is set, or it is not known. */
  readonly maxBytes: number;
  /** Of `maxmemory`; 0 where there is none. */
  readonly usedShare: number;
  /** Its clock, ms since the epoch. */
  readonly timeMs: number;
  /** Bytes left of `maxmemory` but for this share of it; negative = so many too many. */
  roomBytes(reserve: number): number;
}

/**
 * From the text of INFO. Buffers that Redis does not count against `maxmemory` are not counted here
 * either.
 */
export function memoryFrom(info: string): Memory {
  const number = (name: string) => {
    const value = Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
    return Number.isFinite(value) ? value : 0;
  };
  const maxBytes = number('maxmemory');
  const usedBytes = number('used_memory') - number('mem_not_counted_for_evict');
  return {
    server: /^run_id:(\w+)/m.exec(info)?.[1] ?? '',
    maxBytes,
    usedShare: maxBytes === 0 ? 0 : usedBytes / maxBytes,
    timeMs: number('server_time_usec') / 1000 || Date.now(),
    roomBytes: (reserve) =>
      maxBytes === 0 ? Number.POSITIVE_INFINITY : maxBytes * (1 - reserve) - usedBytes,
  };
}
