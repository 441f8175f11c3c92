import * as z from 'zod';
import type { Account, AccountKind, AccountStatus, TeamMembership } from '../account/model.ts';
import type { ChangeType } from '../audit/event/audit-event.ts';
import type { AdminActor } from './actor.ts';
import { change, type Plan, reading } from './change.ts';
import { type ChangeContext, type ChangedStore, RECEIPT_WAIT, type Receipted } from './context.ts';
import { judge } from './effect.ts';
import { AdminError, invalid, notFound } from './error.ts';
import { Faults } from './faults.ts';
import { parsed } from './input.ts';
import { LEAVE_NONE, type LeaveNone, mayLeaveNone, someoneRemains } from './last-administrator.ts';
import { FIELD_LIMITS } from './limits.ts';
import { mustMean } from './meaning.ts';
import { mustBeAt } from './named.ts';
import { kindWord, Records } from './records.ts';
import { RESTRICTION_FIELDS, type RestrictionInput, restricted } from './restriction.ts';
import { ACCOUNT_EDIT, GRANT, MEMBERSHIP, REF } from './schemas/inputs.ts';
import { endingSessions } from './sign-outs.ts';
import { type AccountView, viewAccount } from './views.ts';

/**
 * Which account: by `name`, or by `id`. `kind`, when given, must be right: whoever means a machine
 * must not hit a person.
 */
export type AccountRef = {
  readonly kind?: AccountKind;
  /**
   * How long a change that takes something away may wait for its receipt, in milliseconds; default
   * 5,000, at most 600,000.
   */
  readonly waitMs?: number;
  /**
   * The version that the actor has seen: when it is another one by now, the change is refused with
   * `stale`.
   */
  readonly version?: number;
} & LeaveNone &
  ({ readonly name: string; readonly id?: never } | { readonly id: string; readonly name?: never });

/** `changed: false` = it was so already; nothing was written. */
export interface AccountAnswer extends Receipted {
  readonly account: AccountView;
  readonly changed: boolean;
}

/** The account, and when its tokens were last let in, as of some seconds ago. */
export async function showAccount(
  context: ChangeContext,
  _actor: AdminActor,
  ref: AccountRef,
): Promise<AccountView> {
  return reading(async () => {
    const account = await findAccount(context, ref);
    const uses = account.kind === 'service' ? await context.store.uses(account.id) : [];
    return viewAccount(account, context.clock.wallMs(), uses);
  });
}

export interface AccountEdit extends RestrictionInput {
  readonly description?: string;
  readonly role?: string;
  readonly status?: AccountStatus;
  /** ISO 8601 with zone, in the future; null = never expires. */
  readonly expiresAt?: string | null;
}

/**
 * Changes what is named and leaves the rest. A status that comes alone is an act of its own, and
 * the record calls it by its name.
 */
export function editAccount(
  context: ChangeContext,
  actor: AdminActor,
  input: AccountRef & AccountEdit,
): Promise<AccountAnswer> {
  const { status } = input;
  const named = EDITED.filter((field) => input[field] !== undefined);
  if (status !== undefined && named.length === 1)
    return status === 'active'
      ? activateAccount(context, actor, input)
      : deactivateAccount(context, actor, input);
  return changeAccount(context, actor, input, 'account-changed', (account, records) => {
    mustMean(ACCOUNT_EDIT, input, records, context.clock.wallMs());
    mustTakeRestriction(account, input);
    const { description, role, expiresAt } = input;
    return {
      ...restricted(account, input),
      role: role ?? account.role,
      status: status ?? account.status,
      description: description ?? account.description,
      expiresAt: expiresAt === undefined ? account.expiresAt : expiresAt,
    };
  });
}

const EDITED = Object.keys(ACCOUNT_EDIT) as readonly (keyof AccountEdit)[];

function mustTakeRestriction({ kind }: Account, input: RestrictionInput): void {
  const faults = new Faults();
  for (const field of RESTRICTION_FIELDS) {
    const said = input[field] ?? null;
    const restricts = Array.isArray(said) ? said.length > 0 : said !== null;
    if (kind === 'user' && restricts)
      faults.add(field, 'is for service accounts: users hold no token');
  }
  faults.check();
}

export function activateAccount(
  context: ChangeContext,
  actor: AdminActor,
  ref: AccountRef,
): Promise<AccountAnswer> {
  return changeAccount(context, actor, ref, 'account-activated', (account) => ({
    ...account,
    status: 'active',
  }));
}

/**
 * From now on the account is let in nowhere; its token stays, and works again after activation.
 * Told to every instance also where it is inactive already: it may be so only by what a store that
 * has lost changes was told, and an instance that has cached it need not know of that.
 */
export function deactivateAccount(
  context: ChangeContext,
  actor: AdminActor,
  ref: AccountRef,
): Promise<AccountAnswer> {
  const update = (account: Account): Account => ({ ...account, status: 'inactive' });
  return changeAccount(context, actor, ref, 'account-deactivated', update, { always: true });
}

/** The name is free afterwards; the id is never used again. */
export function deleteAccount(
  context: ChangeContext,
  actor: AdminActor,
  ref: AccountRef,
): Promise<AccountAnswer> {
  return changeAccount(context, actor, ref, 'account-deleted', () => null);
}

/** Joins a team, or changes the role in a team that the account is already in. */
export function joinTeam(
  context: ChangeContext,
  actor: AdminActor,
  input: AccountRef & { readonly team: string; readonly role: string },
): Promise<AccountAnswer> {
  const { team, role } = input;
  return changeAccount(context, actor, input, 'account-changed', (account, records) => {
    mustMean(MEMBERSHIP, input, records, context.clock.wallMs());
    return { ...account, teams: membershipOf(account.teams, { team, role }) };
  });
}

/** With this one in place of another in the same team. Throws `invalid` for one too many. */
export function membershipOf(
  teams: readonly TeamMembership[],
  joined: TeamMembership,
): readonly TeamMembership[] {
  const all = [...teams.filter(({ team }) => team !== joined.team), joined];
  mustFit('team', all.length, FIELD_LIMITS.teamsPerAccount, 'an account may be in', 'teams');
  return sorted(all, ({ team }) => team);
}

export function leaveTeam(
  context: ChangeContext,
  actor: AdminActor,
  input: AccountRef & { readonly team: string },
): Promise<AccountAnswer> {
  const { team } = input;
  return changeAccount(context, actor, input, 'account-changed', (account) => {
    const teams = account.teams.filter((membership) => membership.team !== team);
    if (teams.length === account.teams.length)
      throw new AdminError('not-found', `${account.name} is not in the team ${team}`);
    return { ...account, teams };
  });
}

/**
 * Gives the account a role of its own on one application, replacing whatever its team or default
 * role says there.
 */
export function grantRole(
  context: ChangeContext,
  actor: AdminActor,
  input: AccountRef & { readonly application: string; readonly role: string },
): Promise<AccountAnswer> {
  const { application, role } = input;
  return changeAccount(context, actor, input, 'account-changed', (account, records) => {
    mustMean(GRANT, input, records, context.clock.wallMs());
    const others = account.grants.filter((one) => one.application !== application);
    const grants = [...others, { application, role }];
    const most = FIELD_LIMITS.grantsPerAccount;
    mustFit('application', grants.length, most, 'an account may have', 'grants');
    return { ...account, grants: sorted(grants, (one) => one.application) };
  });
}

function mustFit(field: string, count: number, most: number, may: string, what: string): void {
  if (count > most) throw invalid([{ field, message: `${may} ${most} ${what}` }]);
}

export function revokeGrant(
  context: ChangeContext,
  actor: AdminActor,
  input: AccountRef & { readonly application: string },
): Promise<AccountAnswer> {
  const { application } = input;
  return changeAccount(context, actor, input, 'account-changed', (account) => {
    const grants = account.grants.filter((grant) => grant.application !== application);
    if (grants.length === account.grants.length) {
      throw new AdminError(
        'not-found',
        `${account.name} has no grant on the application ${application}`,
      );
    }
    return { ...account, grants };
  });
}

/** One change to one account. `update` throws what is wrong with it; null deletes. */
export function changeAccount(
  context: ChangeContext,
  actor: AdminActor,
  ref: AccountRef,
  type: ChangeType,
  update: (account: Account, records: Records) => Account | null,
  { always = false }: { readonly always?: boolean } = {},
): Promise<AccountAnswer> {
  const { waitMs = RECEIPT_WAIT.defaultMs, version: seen = null } = ref;
  const leavesNone = mayLeaveNone(actor, ref[LEAVE_NONE] === true);
  const plan = async (): Promise<Plan<AccountAnswer>> => {
    const before = await findAccount(context, ref);
    mustBeAt(seen, before, kindWord(before));
    const records = await Records.read(context.store);
    const wanted = update(before, records);
    const updated = endingSessions(before, wanted, records);
    const effect = await judge(context, actor, records, {
      kind: 'account',
      key: before.id,
      before,
      after: updated,
    });
    // Whoever takes a token out of use changes nothing of who may administer: another token can be
    // had.
    const remaining = leavesNone
      ? []
      : await someoneRemains(
          context,
          records,
          before,
          updated && { ...updated, token: before.token },
        );
    const nowMs = context.clock.wallMs();
    const same = !always && updated !== null && JSON.stringify(updated) === JSON.stringify(before);
    const after =
      updated === null ? null : { ...updated, updatedAt: new Date(nowMs).toISOString() };
    return {
      edit: same ? null : { kind: 'account', key: before.id, before, after },
      type,
      effect,
      reliesOn: remaining,
      answer: (version) => ({
        account: viewAccount(same ? before : { ...(after ?? before), version }, nowMs),
        changed: !same,
      }),
    };
  };
  return change(context, actor, plan, waitMs);
}

/** The id behind a reference. An id is taken as it is: a deleted account still has a past. */
export async function resolveAccountId(store: ChangedStore, given: AccountRef): Promise<string> {
  const ref = parsed(REFERENCE, given);
  const { id, name } = oneOf(ref);
  if (id !== undefined) return id;
  const account = await store.accountByName(name);
  if (account === null) throw notFound('account', name);
  return account.id;
}

const REFERENCE = z.strictObject(REF);

type Key =
  | { readonly id: string; readonly name?: undefined }
  | { readonly id?: undefined; readonly name: string };

/** By name or by id, one of them. */
function oneOf({
  id,
  name,
}: {
  readonly id?: string | undefined;
  readonly name?: string | undefined;
}): Key {
  if (id !== undefined && name !== undefined)
    throw invalid([{ field: 'id', message: 'name the account by name or by id, not by both' }]);
  if (id !== undefined) return { id };
  if (name === undefined) throw invalid([{ field: 'name', message: 'is missing' }]);
  return { name };
}

async function findAccount({ store }: ChangeContext, ref: AccountRef): Promise<Account> {
  const { id, name } = oneOf(ref);
  const { kind } = ref;
  const account =
    id === undefined ? await store.accountByName(name) : (await store.account(id)).account;
  const key = id ?? name;
  if (account === null) throw notFound(kind === undefined ? 'account' : kindWord({ kind }), key);
  if (kind !== undefined && account.kind !== kind)
    throw new AdminError(
      'not-found',
      `there is no ${kindWord({ kind })} named ${JSON.stringify(key)}: that is a ${kindWord(account)}`,
    );
  return account;
}

function sorted<T>(items: readonly T[], by: (item: T) => string): readonly T[] {
  return [...items].sort((a, b) => (by(a) < by(b) ? -1 : 1));
}
