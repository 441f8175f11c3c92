import type { RegistryKeys } from '../../store/keys.ts';
import type { Stored } from '../port.ts';
import { COUNTS } from './reply.ts';

/** Entries that are asked for in one step of a scan. */
const SLICE = 1_000;
/** Keys of `meta`'s counts, in their order. */
const COUNTED = ['accounts', 'roles', 'teams', 'claims'] as const;

type Call = (
  command: string,
  key: string,
  ...words: readonly (string | number)[]
) => Promise<unknown>;

/** What Redis keeps beside the records, read step by step. */
export async function* inspectRedis(
  keys: RegistryKeys,
  targets: readonly string[],
  call: Call,
): AsyncGenerator<Stored> {
  for await (const [key] of steps(call, 'ZSCAN', keys.accounts, 2)) yield { kind: 'account', key };
  for await (const [key, value] of steps(call, 'HSCAN', keys.claims, 2))
    yield { kind: 'claim', key, value };
  for (const key of targets)
    for await (const [value] of steps(call, 'SSCAN', keys.references(key), 1))
      yield { kind: 'reference', key, value };
  const [counts] = (await call('HMGET', keys.meta, COUNTS)) as (string | null)[];
  // A version that did not count has written it.
  if (counts === null || counts === undefined) return;
  for (const [index, count] of counts.split(' ').entries()) {
    const key = COUNTED[index];
    if (key !== undefined) yield { kind: 'count', key, value: Number(count) };
  }
}

/** Every entry once, although a scan may tell one twice. */
async function* steps(
  call: Call,
  command: 'ZSCAN' | 'HSCAN' | 'SSCAN',
  key: string,
  words: number,
): AsyncGenerator<readonly [string, string]> {
  const told = new Set<string>();
  let cursor = '0';
  do {
    const [next, found] = (await call(command, key, cursor, 'COUNT', SLICE)) as [string, string[]];
    for (let at = 0; at < found.length; at += words) {
      const entry = found[at] ?? '';
      if (told.has(entry)) continue;
      told.add(entry);
      yield [entry, found[at + 1] ?? ''];
    }
    cursor = next;
  } while (cursor !== '0');
}
