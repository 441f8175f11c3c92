import { damaged, policyFrom, RECORD_SCHEMA } from './codec.ts';
import { type PolicySnapshot, type Position, RegistryUnavailable } from './port.ts';

/** What is asked of the hash `meta`, in this order. */
export const META_FIELDS = ['schema', 'epoch', 'seq'] as const;

/** Throws `RegistryUnavailable`: `empty` when there is no registry, `damaged` when it is not one that we understand. */
export function positionFrom(reply: unknown): Position {
  const [schema, epoch, seq] = reply as (string | null)[];
  if (schema === null && epoch === null && seq === null) {
    throw new RegistryUnavailable('empty', 'there is no registry in this store');
  }
  if (schema !== String(RECORD_SCHEMA)) {
    throw new RegistryUnavailable('damaged', `the registry is written in schema ${schema}, which this version does not know`);
  }
  const position = { epoch: epoch ?? '', seq: Number(seq ?? Number.NaN) };
  if (position.epoch === '' || !Number.isSafeInteger(position.seq)) throw damaged('the position of the registry');
  return position;
}

/** `roles` and `teams` are HGETALL replies: names and records in turn. */
export function snapshotFrom(meta: unknown, roles: unknown, teams: unknown): PolicySnapshot {
  return policyFrom(positionFrom(meta), pairs(roles), pairs(teams));
}

/** `[a, 1, b, 2]` as pairs. */
export function pairs(reply: unknown): [string, string][] {
  const words = reply as string[];
  return Array.from({ length: words.length / 2 }, (_, index) => [words[2 * index] ?? '', words[2 * index + 1] ?? '']);
}
