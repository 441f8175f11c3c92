import type { Account, AccountKind, AccountStatus, TeamMembership } from '../account/model.ts';
import { turn } from '../turns.ts';
import { changeAccount, membershipOf } from './accounts.ts';
import type { AdminActor } from './actor.ts';
import { reading } from './change.ts';
import { type ChangeContext, RECEIPT_WAIT, type Receipted } from './context.ts';
import { AdminError, invalid } from './error.ts';
import { lossesOf } from './losses.ts';
import { mustMean } from './meaning.ts';
import { Records } from './records.ts';
import { type Rehearsed, rehearsalOf } from './rehearsal.ts';
import { BULK_CHANGE } from './schemas/inputs.ts';
import { writeTogether } from './together.ts';

/** What is to become of each of many accounts: what is named, all in one change of each. */
export interface BulkChange {
  readonly status?: AccountStatus;
  readonly expiresAt?: string | null;
  /** The default role. */
  readonly role?: string;
  readonly join?: TeamMembership;
  /** A team; whoever is not in it stays as it is. */
  readonly leave?: string;
}

export interface BulkInput extends BulkChange {
  readonly kind: AccountKind;
  /** 1 to 256 accounts. */
  readonly ids: readonly string[];
  /** Only say what would become of each. */
  readonly preview?: boolean;
  readonly waitMs?: number;
}

export interface BulkItem {
  readonly id: string;
  /** Null: there is no such account. */
  readonly name: string | null;
  readonly outcome: 'changed' | 'unchanged' | 'refused';
  /** Why it is refused. */
  readonly why: string | null;
  /** What it may do no more, in words; empty: it loses nothing. */
  readonly loses: readonly string[];
}

export interface BulkAnswer extends Receipted {
  readonly items: readonly BulkItem[];
}

interface BulkStep {
  readonly item: BulkItem;
  readonly made: readonly Rehearsed[];
}

/**
 * Changes many accounts, or says what each would lose by it. Each is judged as if it were changed
 * alone, after those before it; who is refused stays as it is and is named with the reason, and all
 * others are changed in one step of the store, or none of them.
 */
export async function changeAccounts(
  context: ChangeContext,
  actor: AdminActor,
  input: BulkInput,
): Promise<BulkAnswer> {
  const { preview = false, waitMs = RECEIPT_WAIT.defaultMs } = input;
  mustChange(input);
  if (preview) return { items: (await rehearse(context, actor, input)).map(({ item }) => item) };
  const { applied, revocation } = await writeTogether(context, waitMs, () =>
    rehearse(context, actor, input),
  );
  return {
    items: applied.map(({ item }) => item),
    ...(revocation === undefined ? {} : { revocation }),
  };
}

const CHANGES = Object.keys(BULK_CHANGE) as readonly (keyof BulkChange)[];

function mustChange(input: BulkInput): void {
  if (CHANGES.every((field) => input[field] === undefined))
    throw invalid([{ field: 'input', message: `says no change: ${CHANGES.join(', ')}` }]);
  if (input.join !== undefined && input.leave === input.join.team)
    throw invalid([{ field: 'leave', message: 'is the team that is joined' }]);
}

async function rehearse(
  { store, clock, instance }: ChangeContext,
  actor: AdminActor,
  input: BulkInput,
): Promise<readonly BulkStep[]> {
  let made: Rehearsed[] = [];
  const rehearsed = { store: rehearsalOf(store, (one) => made.push(one)), clock, instance };
  const records = await reading(() => Records.read(rehearsed.store));
  mustMean(BULK_CHANGE, input, records, clock.wallMs());
  const steps: BulkStep[] = [];
  for (const id of input.ids) {
    await turn();
    made = [];
    const item = await rehearseOne(rehearsed, actor, input, id, records);
    steps.push({ item, made });
  }
  return steps;
}

async function rehearseOne(
  context: ChangeContext,
  actor: AdminActor,
  input: BulkInput,
  id: string,
  records: Records,
): Promise<BulkItem> {
  const { account: before } = await reading(() => context.store.account(id));
  const name = before?.name ?? null;
  try {
    const { changed } = await changeOne(context, actor, input, id);
    const { account: after } = await reading(() => context.store.account(id));
    const loses =
      before === null
        ? []
        : lossesOf(before, after, { before: records, after: records }, context.clock.wallMs());
    return { id, name, outcome: changed ? 'changed' : 'unchanged', why: null, loses };
  } catch (error) {
    if (!(error instanceof AdminError) || error.code === 'unavailable') throw error;
    return { id, name, outcome: 'refused', why: error.message, loses: [] };
  }
}

function changeOne(context: ChangeContext, actor: AdminActor, input: BulkInput, id: string) {
  const { kind, status } = input;
  const named = CHANGES.filter((field) => input[field] !== undefined);
  const alone = named.length === 1 && status !== undefined;
  const ofStatus = status === 'active' ? 'account-activated' : 'account-deactivated';
  const ref = { id, kind, waitMs: 0 };
  return changeAccount(context, actor, ref, alone ? ofStatus : 'account-changed', (account) =>
    changedBy(account, input),
  );
}

function changedBy(account: Account, input: BulkChange): Account {
  const { status = account.status, role = account.role, join, leave } = input;
  const staying = account.teams.filter(({ team }) => team !== leave);
  return {
    ...account,
    ...{ status, role },
    expiresAt: input.expiresAt === undefined ? account.expiresAt : input.expiresAt,
    teams: join === undefined ? staying : membershipOf(staying, join),
  };
}
