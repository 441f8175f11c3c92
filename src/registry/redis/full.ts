import { StoreUnavailable } from '../../store/fault.ts';
import type { RedisConnection } from '../../store/redis.ts';
import { loadScript } from '../../store/script.ts';
import { RegistryUnavailable } from '../port.ts';

const WRITE = loadScript('write-when-full', { whenFull: true });

/**
 * What changes of the registry may take beyond `maxmemory`, as a share of it. They are small; so
 * much is thousands of them, and a host has to have it.
 */
const RESERVE = 1 / 8;

/** Whether a write was refused because `maxmemory` is used up; nothing was written then. */
export function isFull(fault: unknown): boolean {
  const cause = fault instanceof RegistryUnavailable ? fault.cause : fault;
  return cause instanceof StoreUnavailable && cause.code === 'OOM';
}

/** One small write on a key, although memory is used up. Throws `StoreUnavailable`. */
export async function writeWhenFull(
  connection: RedisConnection,
  key: string,
  command: 'SET' | 'HSET',
  ...words: readonly (string | number)[]
): Promise<void> {
  await connection.run(WRITE, [key], [command, ...words]);
}

/** Whether the server that holds this key is still within the reserve of the registry. */
export async function hasReserve(connection: RedisConnection, key: string): Promise<boolean> {
  const info = String(await connection.callAt(key, 'INFO', 'memory'));
  const number = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
  const used = number('used_memory') - number('mem_not_counted_for_evict');
  return used < number('maxmemory') * (1 + RESERVE);
}
