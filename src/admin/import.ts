import { RegistryUnavailable } from '../registry/port.ts';
import { turn } from '../turns.ts';
import type { AdminActor } from './actor.ts';
import { change, changeTogether, claimsOf, reading } from './change.ts';
import type { AdminContext } from './context.ts';
import type { Edit } from './edit.ts';
import { judge } from './effect.ts';
import { AdminError, type AdminErrorCode, invalid } from './error.ts';
import { Records } from './records.ts';
import {
  type Incoming,
  incomingOf,
  REVIVED_WORDS,
  type Revival,
  type Revived,
  revivalsOf,
} from './revival.ts';
import {
  accountIn,
  importedAccount,
  importedRole,
  importedTeam,
  incomingIn,
  isSame,
  type TransferredRecord,
} from './transferred.ts';

/** Whether to bring back to life what is known to have ended since the file was written. */
interface ReviveOption {
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

const NOTHING: Revival = { what: [], asOf: 0 };

/** The edit itself where it brings nothing back to life. `seq`: read before what is known. */
async function revived(
  context: AdminContext,
  edit: Edit,
  seq: number,
  revive: boolean,
): Promise<Edit> {
  if (edit.after === null) return edit;
  const [{ what, asOf } = NOTHING] = await revivalsOf(context, [incomingOf(edit)]);
  if (what.length === 0) return edit;
  if (revive) return { ...edit, after: { ...edit.after, revived: Math.max(seq, asOf) } } as Edit;
  throw new AdminError(
    'invalid',
    `the ${edit.kind} ${edit.after.name} would come back to life (${wordsOf(what)}), and nothing ` +
      'is revived unless it is said so (--revive-revoked)',
  );
}

/** In words, for people. */
export function wordsOf(what: readonly Revived[]): string {
  return what.map((one) => REVIVED_WORDS[one]).join(', ');
}

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
  mustFit(records);
  return reading(async () => {
    const named = records.flatMap((record, index) => {
      const incoming = incomingIn(record);
      return incoming === null ? [] : [{ index, incoming }];
    });
    const policy = await Records.read(context.store);
    const there = await Promise.all(
      named.map(({ incoming }) => isThere(context, policy, incoming)),
    );
    const fresh = named.filter((_, index) => there[index] === false);
    const found = await revivalsOf(
      context,
      fresh.map(({ incoming }) => incoming),
    );
    const revived = fresh.map(({ index, incoming: { kind, record } }, n) => ({
      ...{ index, kind },
      id: kind === 'account' ? record.id : record.name,
      name: record.name,
      what: (found[n] ?? NOTHING).what,
    }));
    return { revived: revived.filter(({ what }) => what.length > 0) };
  });
}

async function isThere(
  { store }: AdminContext,
  records: Records,
  { kind, record }: Incoming,
): Promise<boolean> {
  if (kind === 'account') return (await store.account(record.id)).account !== null;
  return (kind === 'role' ? records.roles : records.teams).has(record.name);
}

function mustFit({ length }: readonly TransferredRecord[]): void {
  if (length > IMPORT_BATCH)
    throw invalid([
      { field: 'records', message: `must be a list of ${IMPORT_BATCH} records at most` },
    ]);
}

/** Records that are brought in by one request at most. */
export const IMPORT_BATCH = 256;
/**
 * By one step of the store. What a gate that keeps its own does of it is one turn of its loop; the
 * command line alone has no calls to answer.
 */
const IMPORTED_AT_ONCE = { byGate: 16, alone: IMPORT_BATCH } as const;

/**
 * The same for many records, in their order, in as few steps as can be. `changed`: how many were
 * not there yet. Stops at the first that cannot be brought in; `done` says how many came before it.
 */
export async function importRecords(
  context: AdminContext,
  actor: AdminActor,
  input: { readonly records: readonly TransferredRecord[] } & ReviveOption,
): Promise<ImportAnswer> {
  const { records, reviveRevoked = false } = input;
  mustFit(records);
  const all = { done: 0, changed: 0 };
  const atOnce = context.instance === null ? IMPORTED_AT_ONCE.alone : IMPORTED_AT_ONCE.byGate;
  for (let from = 0; from < records.length; from += atOnce) {
    await turn();
    const slice = records.slice(from, from + atOnce);
    const together = await importedTogether(context, actor, slice, reviveRevoked);
    const answer: ImportAnswer =
      together === null
        ? await importedSingly(context, actor, slice, reviveRevoked)
        : { done: slice.length, changed: together, refusal: null };
    all.done += answer.done;
    all.changed += answer.changed;
    if (answer.refusal !== null) return { ...all, refusal: answer.refusal };
  }
  return { ...all, refusal: null };
}

export interface ImportAnswer {
  readonly done: number;
  readonly changed: number;
  /** Why the record after those that are done cannot be brought in; null = all are done. */
  readonly refusal: { readonly code: AdminErrorCode; readonly message: string } | null;
}

/** One by one: where they cannot go together, so that it is said which one stands in the way. */
async function importedSingly(
  context: AdminContext,
  actor: AdminActor,
  records: readonly TransferredRecord[],
  reviveRevoked: boolean,
): Promise<ImportAnswer> {
  let changed = 0;
  for (const [done, record] of records.entries()) {
    await turn();
    try {
      const input = { ...(Object(record) as TransferredRecord), reviveRevoked };
      if ((await importRecord(context, actor, input)).changed) changed += 1;
    } catch (error) {
      if (!(error instanceof AdminError)) throw error;
      return { done, changed, refusal: { code: error.code, message: error.message } };
    }
  }
  return { done: records.length, changed, refusal: null };
}

/** Null: they cannot go in one step. Only accounts do: roles and teams are few, and come first. */
async function importedTogether(
  context: AdminContext,
  actor: AdminActor,
  inputs: readonly TransferredRecord[],
  reviveRevoked: boolean,
): Promise<number | null> {
  const accounts = inputs.flatMap((input) => accountIn(input) ?? []);
  // Two that hold the same name, or are the same person, are judged one after the other.
  const keys = accounts.flatMap((one) => [one.id, ...claimsOf({ kind: 'account' }, one)]);
  if (accounts.length < inputs.length || new Set(keys).size < keys.length) return null;
  return reading(async () => {
    const records = await Records.read(context.store);
    const known = await Promise.all(accounts.map(({ id }) => context.store.account(id)));
    const fresh = accounts.filter((_, index) => known[index]?.account === null);
    const strangers = known.some(
      ({ account }, index) => account !== null && !isSame(account, accounts[index]!),
    );
    if (strangers) return null;
    if (fresh.length === 0) return 0;
    const lives = await revivalsOf(
      context,
      fresh.map((record) => ({ kind: 'account', record })),
    );
    const seq = Math.min(...known.map((one) => one.seq));
    if (!reviveRevoked && lives.some(({ what }) => what.length > 0)) return null;
    const plans = await Promise.all(
      fresh.map(async (account, index) => {
        const { what, asOf } = lives[index] ?? NOTHING;
        const revives = what.length > 0;
        const after = revives ? { ...account, revived: Math.max(seq, asOf) } : account;
        const edit = { kind: 'account', key: after.id, before: null, after } as const;
        const effect = await judge(context, actor, records, edit);
        const type = revives ? ('account-revived' as const) : ('registry-imported' as const);
        return { edit, effect, type, reliesOn: [] };
      }),
    );
    await turn();
    return (await changeTogether(context, actor, plans)) === 'changed' ? fresh.length : null;
  });
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
