import type { Account } from '../account/model.ts';
import type { Commit } from '../registry/commit.ts';
import { turn } from '../turns.ts';
import type { AdminActor } from './actor.ts';
import { ApprovalNeeded, plural } from './approvals/rule.ts';
import { claimsOf, commitTogether, reading, writing } from './change.ts';
import type { AdminContext } from './context.ts';
import { judge } from './effect.ts';
import { AdminError, type AdminErrorCode } from './error.ts';
import { importRecord, type ReviveOption } from './import.ts';
import { importSlices } from './import-slices.ts';
import { Records } from './records.ts';
import { type Revival, revivalsOf } from './revival.ts';
import { accountIn, isSame, type TransferredRecord } from './transferred.ts';

/**
 * The same for many records, in their order, in as few steps as can be. `changed`: how many were
 * not there yet. Stops at the first that cannot be brought in; `done` says how many came before it.
 * A step is planned while the one before it is being written: what that has changed, the store
 * finds.
 */
export async function importRecords(
  context: AdminContext,
  actor: AdminActor,
  input: { readonly records: readonly TransferredRecord[] } & ReviveOption,
): Promise<ImportAnswer> {
  const { records, reviveRevoked = false } = input;
  const slices = importSlices(context, records, 'imported');
  const planned = async (index: number) => {
    const slice = slices[index];
    return slice === undefined ? null : plannedTogether(context, actor, slice, reviveRevoked);
  };
  const all = { done: 0, changed: 0 };
  let next = planned(0);
  try {
    for (const [index, slice] of slices.entries()) {
      const together = await next.catch(unlessRefused);
      const written = together === null ? null : isWritten(context, together);
      next = planned(index + 1);
      // Whoever stops here has no use for it.
      next.catch(() => {});
      const answer: ImportAnswer = (await written?.catch(unlessRefused))
        ? { done: slice.length, changed: together?.fresh ?? 0, refusal: null }
        : await importedSingly(context, actor, slice, reviveRevoked);
      all.done += answer.done;
      all.changed += answer.changed;
      if (answer.refusal !== null) return { ...all, refusal: answer.refusal };
    }
    return { ...all, refusal: null };
  } catch (error) {
    // What is in must be told.
    if (!(error instanceof AdminError) || all.done === 0) throw error;
    return { ...all, refusal: { code: error.code, message: error.message } };
  }
}

/** What stands against one of many is told as that one's, and keeps nobody before it out. */
function unlessRefused(error: unknown): null {
  if (error instanceof AdminError && error.code !== 'unavailable') return null;
  throw error;
}

async function isWritten(context: AdminContext, { commit }: Together): Promise<boolean> {
  if (commit === null) return true;
  await turn();
  return (await writing(context, commit)).committed;
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
      return { done, changed, refusal: { code: error.code, message: wordsFor(error) } };
    }
  }
  return { done: records.length, changed, refusal: null };
}

/** What is advised to whoever makes one account is no help here. */
function wordsFor(error: AdminError): string {
  if (!(error instanceof ApprovalNeeded)) return error.message;
  const { roles } = error;
  return (
    `this concerns the protected ${plural('role', roles)} ${roles.join(', ')}, and an import ` +
    'cannot wait for the approval of another administrator: let the owner of the store import ' +
    'it with --without-approval, or take the record out of the file'
  );
}

/** Accounts that go in one step. */
interface Together {
  /** How many of them are not there yet. */
  readonly fresh: number;
  /** Null: all are there. */
  readonly commit: Commit | null;
}

/** Null: they cannot go in one step. Only accounts do: roles and teams are few, and come first. */
async function plannedTogether(
  context: AdminContext,
  actor: AdminActor,
  inputs: readonly TransferredRecord[],
  reviveRevoked: boolean,
): Promise<Together | null> {
  await turn();
  const accounts = inputs.flatMap((input) => accountIn(input) ?? []);
  // Two that hold the same name, or are the same person, are judged one after the other.
  const keys = accounts.flatMap((one) => [one.id, ...claimsOf({ kind: 'account' }, one)]);
  if (accounts.length < inputs.length || new Set(keys).size < keys.length) return null;
  return reading(async () => {
    const known = await context.store.accountsById(accounts.map(({ id }) => id));
    const fresh = accounts.filter((_, index) => known.accounts[index] === null);
    const strangers = known.accounts.some(
      (account, index) => account !== null && !isSame(account, accounts[index]!),
    );
    if (strangers) return null;
    if (fresh.length === 0) return { fresh: 0, commit: null };
    const lives = await revivalsOf(
      context,
      fresh.map((record) => ({ kind: 'account', record })),
    );
    if (!reviveRevoked && lives.some(({ what }) => what.length > 0)) return null;
    const edits = fresh.map((account, index) => revivedEdit(account, lives[index]!, known.seq));
    return { fresh: fresh.length, commit: await commitOf(context, actor, edits) };
  });
}

function revivedEdit(account: Account, { what, asOf }: Revival, seq: number) {
  const revives = what.length > 0;
  const after = revives ? { ...account, revived: Math.max(seq, asOf) } : account;
  const type = revives ? ('account-revived' as const) : ('registry-imported' as const);
  return { type, edit: { kind: 'account', key: after.id, before: null, after } as const };
}

async function commitOf(
  context: AdminContext,
  actor: AdminActor,
  edits: readonly ReturnType<typeof revivedEdit>[],
): Promise<Commit> {
  const records = await Records.read(context.store);
  const plans = [];
  for (const { type, edit } of edits)
    plans.push({ edit, type, effect: await judge(context, actor, records, edit), reliesOn: [] });
  return commitTogether(context, actor, plans);
}
