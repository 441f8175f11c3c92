import type { TokenUse } from '../../../account/model.ts';
import type { RegistryKeys } from '../../../store/keys.ts';
import type { RedisCommand, RedisWord } from '../../../store/redis.ts';
import type { Script } from '../../../store/script.ts';
import type { Position } from '../../position.ts';

/** What the lists ask of Redis, in the registry's words. */
export interface ListingRedis {
  readonly keys: RegistryKeys;
  call(command: string, ...words: (string | number)[]): Promise<unknown>;
  run(script: Script, keys: readonly string[], words: readonly RedisWord[]): Promise<unknown>;
  readTogether(keys: readonly string[], commands: readonly RedisCommand[]): Promise<unknown[]>;
  pipeline(commands: readonly RedisCommand[]): Promise<unknown[]>;
  uses(account: string): Promise<readonly TokenUse[]>;
  /**
   * Reads `meta`. Throws `RegistryUnavailable` also when it is not the registry that was served.
   */
  positionFrom(reply: unknown): Position;
}

/** The keys by name. */
export function listKeys({ lists }: RegistryKeys) {
  const [state, names, marks, times, texts, rows, numbers, free] = lists as [
    string,
    string,
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  return { state, names, marks, times, texts, rows, numbers, free };
}
