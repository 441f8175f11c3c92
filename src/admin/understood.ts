import { RECORD_SCHEMA, schemaOf } from '../registry/codec.ts';
import type { RecordChange } from '../registry/commit.ts';
import type { ChangedStore } from './context.ts';
import { AdminError } from './error.ts';

/**
 * That every gate can read what is about to be written. One of an earlier version that reads the
 * change feed would find a record there that it does not know, and respond 503 to everybody. Throws
 * `AdminError` (`conflict`).
 */
export async function assertUnderstood(
  store: Pick<ChangedStore, 'instances'>,
  changes: readonly RecordChange[],
): Promise<void> {
  const records = changes.flatMap(({ record }) => record ?? []);
  const beyond = records.filter((record) => schemaOf(record) > RECORD_SCHEMA);
  if (beyond.length === 0) return;
  const needed = Math.max(...beyond.map(schemaOf));
  const { items } = await store.instances();
  const earlier = items.filter(({ schema }) => schema < needed).map(({ instance }) => instance);
  if (earlier.length > 0)
    throw new AdminError(
      'conflict',
      `gates of an earlier version could not read ${namesOf(beyond)}, and would let nobody in: upgrade ${earlier.join(', ')} first (one that was killed is forgotten some time after its lease)`,
    );
}

const NAMED_MAX = 5;

function namesOf(records: readonly { readonly name: string }[]): string {
  const names = records.slice(0, NAMED_MAX).map(({ name }) => name);
  const more = records.length - names.length;
  return `${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
