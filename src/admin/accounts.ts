import type { Account, AccountKind, AccountStatus } from '../account/model.ts';
import type { ChangeType } from '../audit/event/audit-event.ts';
import type { RegistryStore } from '../registry/port.ts';
import { type AdminActor, mustHave } from './actor.ts';
import { change, type Plan, reading } from './change.ts';
import { type AdminContext, RECEIPT_WAIT, type Receipted } from './context.ts';
import { judge } from './effect.ts';
import { AdminError, notFound } from './error.ts';
import { FIELD_LIMITS, Fields } from './fields.ts';
import { LEAVE_NONE, type LeaveNone, mayLeaveNone, someoneRemains } from './last-administrator.ts';
import { mustBeAt } from './named.ts';
import { kindWord, Records } from './records.ts';
import {
  RESTRICTION_FIELDS,
  type RestrictionInput,
  readRestriction,
  restricted,
} from './restriction.ts';
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

export const REF = ['name', 'id', 'kind', 'waitMs', 'version', LEAVE_NONE] as const;
const KINDS = ['service', 'user'] as const;
const STATUSES = ['active', 'inactive'] as const;

/** The account, and when its tokens were last let in, as of some seconds ago. */
export async function showAccount(
  context: AdminContext,
  actor: AdminActor,
  ref: AccountRef,
): Promise<AccountView> {
  mustHave(actor, 'sallyport:registry:read');
  return reading(async () => {
    const account = await findAccount(context, ref, new Fields(ref, REF));
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

/** Changes what is named and leaves the rest. */
export function editAccount(
  context: AdminContext,
  actor: AdminActor,
  input: AccountRef & AccountEdit,
): Promise<AccountAnswer> {
  const fields = new Fields(input, [
    ...REF,
    'description',
    'role',
    'status',
    'expiresAt',
    ...RESTRICTION_FIELDS,
  ]);
  const status = fields.has('status') ? fields.oneOf('status', STATUSES, 'active') : null;
  return changeAccount(context, actor, input, fields, 'account-changed', (account, records) => {
    const role = fields.has('role') ? fields.name('role') : account.role;
    if (fields.has('role')) records.expectRole(fields, 'role', role);
    const restriction = readRestriction(fields, account);
    for (const field of RESTRICTION_FIELDS)
      if (account.kind === 'user' && restriction[field] !== undefined)
        fields.fault(field, 'is for service accounts: users hold no token');
    return {
      ...restricted(account, restriction),
      role,
      status: status ?? account.status,
      description: fields.has('description') ? fields.description() : account.description,
      expiresAt: fields.has('expiresAt')
        ? fields.expiry('expiresAt', context.clock.wallMs())
        : account.expiresAt,
    };
  });
}

export function activateAccount(
  context: AdminContext,
  actor: AdminActor,
  ref: AccountRef,
): Promise<AccountAnswer> {
  return changeAccount(
    context,
    actor,
    ref,
    new Fields(ref, REF),
    'account-activated',
    (account) => ({
      ...account,
      status: 'active',
    }),
  );
}

/**
 * From now on the account is let in nowhere; its token stays, and works again after activation.
 * Told to every instance also where it is inactive already: it may be so only by what a store that
 * has lost changes was told, and an instance that has cached it need not know of that.
 */
export function deactivateAccount(
  context: AdminContext,
  actor: AdminActor,
  ref: AccountRef,
): Promise<AccountAnswer> {
  return changeAccount(
    context,
    actor,
    ref,
    new Fields(ref, REF),
    'account-deactivated',
    (account) => ({
      ...account,
      status: 'inactive',
    }),
    { always: true },
  );
}

/** The name is free afterwards; the id is never used again. */
export function deleteAccount(
  context: AdminContext,
  actor: AdminActor,
  ref: AccountRef,
): Promise<AccountAnswer> {
  return changeAccount(context, actor, ref, new Fields(ref, REF), 'account-deleted', () => null);
}

/** Joins a team, or changes the role in a team that the account is already in. */
export function joinTeam(
  context: AdminContext,
  actor: AdminActor,
  input: AccountRef & { readonly team: string; readonly role: string },
): Promise<AccountAnswer> {
  const fields = new Fields(input, [...REF, 'team', 'role']);
  const membership = { team: fields.name('team'), role: fields.name('role') };
  return changeAccount(context, actor, input, fields, 'account-changed', (account, records) => {
    records.expectTeam(fields, 'team', membership.team);
    records.expectRole(fields, 'role', membership.role);
    const teams = [...account.teams.filter(({ team }) => team !== membership.team), membership];
    if (teams.length > FIELD_LIMITS.teamsPerAccount)
      fields.fault('team', `an account may be in ${FIELD_LIMITS.teamsPerAccount} teams`);
    return { ...account, teams: sorted(teams, ({ team }) => team) };
  });
}

export function leaveTeam(
  context: AdminContext,
  actor: AdminActor,
  input: AccountRef & { readonly team: string },
): Promise<AccountAnswer> {
  const fields = new Fields(input, [...REF, 'team']);
  const team = fields.name('team');
  return changeAccount(context, actor, input, fields, 'account-changed', (account) => {
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
  context: AdminContext,
  actor: AdminActor,
  input: AccountRef & { readonly application: string; readonly role: string },
): Promise<AccountAnswer> {
  const fields = new Fields(input, [...REF, 'application', 'role']);
  const grant = { application: fields.name('application'), role: fields.name('role') };
  return changeAccount(context, actor, input, fields, 'account-changed', (account, records) => {
    records.expectRole(fields, 'role', grant.role);
    const grants = [
      ...account.grants.filter(({ application }) => application !== grant.application),
      grant,
    ];
    if (grants.length > FIELD_LIMITS.grantsPerAccount) {
      fields.fault('application', `an account may have ${FIELD_LIMITS.grantsPerAccount} grants`);
    }
    return { ...account, grants: sorted(grants, ({ application }) => application) };
  });
}

export function revokeGrant(
  context: AdminContext,
  actor: AdminActor,
  input: AccountRef & { readonly application: string },
): Promise<AccountAnswer> {
  const fields = new Fields(input, [...REF, 'application']);
  const application = fields.name('application');
  return changeAccount(context, actor, input, fields, 'account-changed', (account) => {
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

/** One change to one account. `update` notes faults in `fields`; null deletes. */
export function changeAccount(
  context: AdminContext,
  actor: AdminActor,
  ref: AccountRef,
  fields: Fields,
  type: ChangeType,
  update: (account: Account, records: Records) => Account | null,
  { always = false }: { readonly always?: boolean } = {},
): Promise<AccountAnswer> {
  mustHaveWrite(actor);
  const waitMs = fields.integer('waitMs', RECEIPT_WAIT.defaultMs, 0, RECEIPT_WAIT.mostMs);
  const seen = fields.version();
  const leavesNone = mayLeaveNone(actor, fields.flag(LEAVE_NONE));
  const plan = async (): Promise<Plan<AccountAnswer>> => {
    const before = await findAccount(context, ref, fields);
    mustBeAt(seen, before, kindWord(before));
    const records = await Records.read(context.store);
    const wanted = update(before, records);
    fields.check();
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

export function mustHaveWrite(actor: AdminActor): void {
  mustHave(actor, 'sallyport:registry:write');
}

/** The id behind a reference. An id is taken as it is: a deleted account still has a past. */
export async function resolveAccountId(store: RegistryStore, ref: AccountRef): Promise<string> {
  const fields = new Fields(ref, REF);
  const key = fields.name(fields.has('id') ? 'id' : 'name');
  fields.check();
  if (ref.id !== undefined) return key;
  const account = await store.accountByName(key);
  if (account === null) throw notFound('account', key);
  return account.id;
}

async function findAccount(
  context: AdminContext,
  ref: AccountRef,
  fields: Fields,
): Promise<Account> {
  const byId = fields.has('id');
  const key = byId ? fields.name('id') : fields.name('name');
  if (byId && fields.has('name'))
    fields.fault('id', 'name the account by name or by id, not by both');
  const kind = ref.kind === undefined ? null : fields.oneOf('kind', KINDS, 'service');
  fields.check();
  const account = byId
    ? (await context.store.account(key)).account
    : await context.store.accountByName(key);
  const word = kind === null ? 'account' : kindWord({ kind });
  if (account === null) throw notFound(word, key);
  if (kind !== null && account.kind !== kind) {
    throw new AdminError(
      'not-found',
      `there is no ${word} named ${JSON.stringify(key)}: that is a ${kindWord(account)}`,
    );
  }
  return account;
}

function sorted<T>(items: readonly T[], by: (item: T) => string): readonly T[] {
  return [...items].sort((a, b) => (by(a) < by(b) ? -1 : 1));
}
