import { RECORD_SCHEMA, schemaOf } from '../registry/codec.ts';
import type { RecordChange } from '../registry/commit.ts';
import type { RegistryStore } from '../registry/port.ts';
import { AdminError } from './error.ts';

/**
 * That every gate can read what is about to be written. One of an earlier version that reads the
 * change feed would find a record there that it does not know, and respond 503 to everybody. Throws
 * `AdminError` (`conflict`).
 */
export async function assertUnderstood(
  store: Pick<RegistryStore, 'instances'>,
  changes: readonly RecordChange[],
): Promise<void> {
  const schemas = changes.flatMap(({ record }) => (record === null ? [] : [schemaOf(record)]));
  const needed = Math.max(RECORD_SCHEMA, ...schemas);
  if (needed === RECORD_SCHEMA) return;
  const { items } = await store.instances();
  const earlier = items.filter(({ schema }) => schema < needed).map(({ instance }) => instance);
  if (earlier.length > 0)
    throw new AdminError(
      'conflict',
      `gates of an earlier version could not read this account, and would let nobody in: upgrade ${earlier.join(', ')} first (one that was killed is forgotten some time after its lease)`,
    );
}
