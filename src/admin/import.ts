import { RegistryUnavailable } from '../registry/port.ts';
import type { AdminActor } from './actor.ts';
import { change } from './change.ts';
import type { AdminContext } from './context.ts';
import type { Edit } from './edit.ts';
import { judge } from './effect.ts';
import { AdminError } from './error.ts';
import { Records } from './records.ts';
import { incomingOf, NOTHING_REVIVED, revivalsOf, wordsOf } from './revival.ts';
import {
  importedAccount,
  importedRole,
  importedTeam,
  isSame,
  type TransferredRecord,
} from './transferred.ts';

/** Whether to bring back to life what is known to have ended since the file was written. */
export interface ReviveOption {
  readonly reviveRevoked?: boolean;
}

/**
 * `changed: false` = the same record was there already. Throws `name-taken` when another one is,
 * and `invalid` when it would bring back to life what is known to have ended, unless
 * `reviveRevoked`.
 */
export function importRecord(
  context: AdminContext,
  actor: AdminActor,
  input: TransferredRecord & ReviveOption,
): Promise<{ readonly changed: boolean }> {
  const { kind, text, reviveRevoked: revive = false } = input;
  return change(context, actor, async () => {
    const { seq } = await context.store.snapshot();
    const found = await editFor(context, kind, text);
    const same = found.before !== null;
    const edit = same ? found : await revived(context, found, seq, revive);
    const records = await Records.read(context.store);
    return {
      edit: same ? null : edit,
      type: edit === found ? 'registry-imported' : (`${kind}-revived` as const),
      effect: await judge(context, actor, records, edit),
      reliesOn: [],
      answer: () => ({ changed: !same }),
    };
  });
}

/** The edit itself where it brings nothing back to life. `seq`: read before what is known. */
async function revived(
  context: AdminContext,
  edit: Edit,
  seq: number,
  revive: boolean,
): Promise<Edit> {
  if (edit.after === null) return edit;
  const [{ what, asOf } = NOTHING_REVIVED] = await revivalsOf(context, [incomingOf(edit)]);
  if (what.length === 0) return edit;
  if (revive) return { ...edit, after: { ...edit.after, revived: Math.max(seq, asOf) } } as Edit;
  throw new AdminError(
    'invalid',
    `the ${edit.kind} ${edit.after.name} would come back to life (${wordsOf(what)}), and nothing ` +
      'is revived unless it is said so (--revive-revoked)',
  );
}

async function editFor(context: AdminContext, kind: Edit['kind'], text: string): Promise<Edit> {
  const records = await Records.read(context.store);
  if (kind === 'role') {
    const after = decoded(() => importedRole(text));
    return {
      kind,
      key: after.name,
      before: sameOrNone(records.roles.get(after.name) ?? null, after, `role ${after.name}`),
      after,
    };
  }
  if (kind === 'team') {
    const after = decoded(() => importedTeam(text));
    return {
      kind,
      key: after.name,
      before: sameOrNone(records.teams.get(after.name) ?? null, after, `team ${after.name}`),
      after,
    };
  }
  const after = decoded(() => importedAccount(text));
  const before =
    (await context.store.account(after.id)).account ??
    (await context.store.accountByName(after.name));
  return { kind, key: after.id, before: sameOrNone(before, after, `account ${after.name}`), after };
}

/**
 * What is there already must be the same but for its version and the time of its last change: an
 * import overwrites nothing.
 */
function sameOrNone<
  T extends { readonly version: number; readonly createdAt: string; readonly updatedAt: string },
>(before: T | null, after: T, what: string): T | null {
  if (before === null || isSame(before, after)) return before;
  throw new AdminError(
    'name-taken',
    `there is another ${what} already, and an import overwrites nothing`,
  );
}

function decoded<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof RegistryUnavailable)) throw error;
    throw new AdminError('invalid', 'that is no record of this version of Sallyport', {
      cause: error,
    });
  }
}
