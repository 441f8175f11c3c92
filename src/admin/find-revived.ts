import { turn } from '../turns.ts';
import type { AdminActor } from './actor.ts';
import { reading } from './change.ts';
import type { AdminContext } from './context.ts';
import type { Edit } from './edit.ts';
import { importSlices } from './import-slices.ts';
import { Records } from './records.ts';
import { type Incoming, NOTHING_REVIVED, type Revived, revivalsOf } from './revival.ts';
import { incomingIn, type TransferredRecord } from './transferred.ts';

/** What one record of a list would bring back to life. */
export interface RevivedRecord {
  /** In the list, counted from 0. */
  readonly index: number;
  readonly kind: Edit['kind'];
  /** The name, of a role or team. */
  readonly id: string;
  readonly name: string;
  readonly what: readonly Revived[];
}

/**
 * Which of these records would bring back to life what is known to have ended. Changes nothing, and
 * says nothing of what is there already or is no record.
 */
export async function findRevived(
  context: AdminContext,
  _actor: AdminActor,
  input: { readonly records: readonly TransferredRecord[] },
): Promise<{ readonly revived: readonly RevivedRecord[] }> {
  const { records } = input;
  const revived: RevivedRecord[] = [];
  let from = 0;
  for (const slice of importSlices(context, records, 'looked')) {
    await turn();
    for (const one of await reading(() => revivedIn(context, slice)))
      revived.push({ ...one, index: from + one.index });
    from += slice.length;
  }
  return { revived };
}

async function revivedIn(
  context: AdminContext,
  records: readonly TransferredRecord[],
): Promise<readonly RevivedRecord[]> {
  const named = records.flatMap((record, index) => {
    const incoming = incomingIn(record);
    return incoming === null ? [] : [{ index, incoming }];
  });
  const isThere = await presenceOf(
    context,
    named.map(({ incoming }) => incoming),
  );
  const fresh = named.filter(({ incoming }) => !isThere(incoming));
  const found = await revivalsOf(
    context,
    fresh.map(({ incoming }) => incoming),
  );
  const revived = fresh.map(({ index, incoming: { kind, record } }, n) => ({
    ...{ index, kind },
    id: kind === 'account' ? record.id : record.name,
    name: record.name,
    what: (found[n] ?? NOTHING_REVIVED).what,
  }));
  return revived.filter(({ what }) => what.length > 0);
}

async function presenceOf(
  { store }: AdminContext,
  all: readonly Incoming[],
): Promise<(one: Incoming) => boolean> {
  const { roles, teams } = await Records.read(store);
  const ids = all.flatMap(({ kind, record }) => (kind === 'account' ? [record.id] : []));
  const { accounts } = await store.accountsById(ids);
  const there = new Set(ids.filter((_, index) => accounts[index] !== null));
  return ({ kind, record }) =>
    kind === 'account' ? there.has(record.id) : (kind === 'role' ? roles : teams).has(record.name);
}
