import { hash, randomUUID } from 'node:crypto';
import type { Account, Role, Team } from '../account/model.ts';
import { isBuiltInRole } from '../account/role.ts';
import type { ChangeType } from '../audit/event/audit-event.ts';
import { type Actor, changeEvent } from '../audit/event/change-event.ts';
import type { Commit, CommitResult, Committed, RecordChange } from '../registry/commit.ts';
import { RegistryUnavailable } from '../registry/port.ts';
import { awaitReceipt, type Revocation } from '../registry/receipts/receipt.ts';
import { systemTiming, type Timing } from '../registry/timing.ts';
import { turn } from '../turns.ts';
import { passed } from './approvals/hold.ts';
import { type ChangeContext, type ChangedStore, RECEIPT_WAIT, type Receipted } from './context.ts';
import { type Edit, type Reliance, rolesOf } from './edit.ts';
import type { Effect } from './effect.ts';
import { AdminError } from './error.ts';
import { joinedCommit } from './joined-commit.ts';
import { RESTRICTION_FIELDS } from './restriction.ts';
import { assertUnderstood } from './understood.ts';

export interface Plan<T> {
  /** Null: everything already is as asked; nothing is written and nothing recorded. */
  readonly edit: Edit | null;
  readonly type: ChangeType;
  /** That nobody gets or loses by it what the actor may not give or take. */
  readonly effect: Effect;
  /** What else must be as it was read. */
  readonly reliesOn: readonly Reliance[];
  /** What the caller is told; `version` is the record's after the change. */
  readonly answer: (version: number) => T;
}

const CHANGE_LIMITS = { attempts: 10, firstPauseMs: 5, longestPauseMs: 250 } as const;

/**
 * Makes one change: plans it from what is read now, commits it, and plans again when somebody else
 * was faster, a bounded number of times with random pauses so that two writers part. The record,
 * the feed entry and the audit event are one atomic step of the store.
 */
export async function change<T extends object>(
  context: ChangeContext,
  actor: Actor,
  plan: () => Promise<Plan<T>>,
  waitMs: number = RECEIPT_WAIT.defaultMs,
): Promise<T & Receipted> {
  for (let attempt = 0; attempt < CHANGE_LIMITS.attempts; attempt++) {
    if (attempt > 0) await pause(context.timing ?? systemTiming, attempt);
    const planned = await reading(plan);
    if (planned.edit === null) return planned.answer(0);
    // What was planned may concern a thousand accounts, and to store it is one step.
    await turn();
    const sentMs = context.clock.monotonicMs();
    const result = await writing(context, commitFor(context, actor, planned, planned.edit));
    if (result.committed) {
      const answer = planned.answer(result.seq);
      return planned.type === 'account-deactivated' || takesAway(planned.edit)
        ? { ...answer, revocation: await receipt(context, result, waitMs, sentMs) }
        : answer;
    }
    if (result.conflict !== 'version') throw await refusalOf(context.store, result);
  }
  throw new AdminError(
    'conflict',
    'others keep changing the same records; nothing was changed, try again',
  );
}

/**
 * Several changes as one step of the store: all of them or none. Where it is a conflict, what they
 * were planned from has changed, or a name is taken: whoever asked plans anew, or makes them one by
 * one to learn which. No two of them may claim the same name. Not for changes that take something
 * away: there is no receipt.
 */
export function commitTogether(
  context: ChangeContext,
  actor: Actor,
  plans: readonly (Pick<Plan<unknown>, 'type' | 'effect' | 'reliesOn'> & { readonly edit: Edit })[],
): Commit {
  const [first, ...others] = plans.map((plan) => commitFor(context, actor, plan, plan.edit));
  if (first === undefined) throw new TypeError('there is nothing to change');
  return joinedCommit([first, ...others], () => undefined);
}

/** Waits until a change that took something away is in force everywhere, `waitMs` at most. */
export async function receipt(
  context: ChangeContext,
  committed: Committed,
  waitMs: number,
  sentMs: number,
): Promise<Revocation> {
  const { store, clock } = context;
  const revocation = await awaitReceipt(committed, {
    store,
    clock,
    timing: context.timing ?? systemTiming,
    waitMs,
    sentMs,
  });
  if (revocation.effective) context.onRevoked?.(clock.monotonicMs() - sentMs);
  return revocation;
}

/**
 * Whether anybody may do less after the change than before, or whether that cannot be told at a
 * glance: a role on one application replaces the others and can lower as well as raise.
 */
export function takesAway({ kind, before, after }: Edit): boolean {
  if (before === null) return false;
  if (kind === 'role')
    return (
      after !== null &&
      (before as Role).permissions.some((one) => !(after as Role).permissions.includes(one))
    );
  if (after === null) return true;
  if (kind === 'team') return differs((before as Team).applications, (after as Team).applications);
  const [old, now] = [before as Account, after as Account];
  if (old.kind === 'user') return old.status !== now.status || old.role !== now.role;
  return (
    (old.status === 'active' && now.status !== 'active') ||
    DECIDES_ON.some((field) => differs(old[field], now[field]))
  );
}

/** What of a service account decides about its calls. */
const DECIDES_ON = [
  'role',
  'teams',
  'grants',
  'expiresAt',
  'token',
  'previous',
  ...RESTRICTION_FIELDS,
] as const;

function differs(one: unknown, other: unknown): boolean {
  return JSON.stringify(one ?? null) !== JSON.stringify(other ?? null);
}

/** Runs a read; a store that cannot answer becomes the `unavailable` of this room. */
export async function reading<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof RegistryUnavailable)) throw error;
    throw new AdminError('unavailable', `the registry cannot be read: ${error.message}`, {
      cause: error,
    });
  }
}

/**
 * The one place where changes are written. What needs a second administrator stops here
 * (`ApprovalNeeded`), whichever way it came.
 *
 * A commit whose answer did not arrive may have happened: that must be said, because a token may
 * have been lost with the answer.
 *
 * @param unchanged what is said where it has not happened
 */
export async function writing(
  context: Pick<ChangeContext, 'store' | 'approvals'>,
  asked: Commit,
  unchanged = 'nothing was changed',
): Promise<CommitResult> {
  const { store } = context;
  await reading(() => assertUnderstood(store, asked.changes));
  const commit = await reading(() => passed(context, asked));
  try {
    return await store.commit(commit);
  } catch (error) {
    if (!(error instanceof RegistryUnavailable)) throw error;
    const outcome =
      error.why === 'unreachable'
        ? 'it is not known whether the change was made: look before you repeat it'
        : unchanged;
    throw new AdminError(
      'unavailable',
      `the registry cannot be written (${error.message}); ${outcome}`,
      { cause: error },
    );
  }
}

async function pause(timing: Timing, attempt: number): Promise<void> {
  await timing.sleep(
    timing.random() *
      Math.min(CHANGE_LIMITS.longestPauseMs, CHANGE_LIMITS.firstPauseMs * 2 ** attempt),
    null,
  );
}

function commitFor(
  context: ChangeContext,
  actor: Actor,
  plan: Pick<Plan<unknown>, 'type' | 'effect' | 'reliesOn'>,
  edit: Edit,
): Commit {
  const claims = difference(claimsOf(edit, edit.before), claimsOf(edit, edit.after));
  const uses = difference(targetsOf(edit, edit.before), targetsOf(edit, edit.after));
  const owner = `${edit.kind}:${edit.key}`;
  const { underTombstones } = plan.effect;
  return {
    expects: [
      { kind: edit.kind, key: edit.key, version: edit.before?.version ?? 0 },
      ...[...plan.effect.reliesOn, ...plan.reliesOn].filter(
        ({ kind, key }) => kind !== edit.kind || key !== edit.key,
      ),
    ],
    changes: [{ kind: edit.kind, key: edit.key, record: edit.after } as RecordChange],
    claims: { take: claims.added.map((claim) => ({ claim, owner })), drop: claims.removed },
    references: {
      add: uses.added.map((target) => ({ target, user: owner })),
      remove: uses.removed.map((target) => ({ target, user: owner })),
    },
    activates:
      edit.kind === 'account' &&
      edit.before?.status === 'inactive' &&
      edit.after?.status === 'active'
        ? [edit.key]
        : [],
    revives: plan.type === 'account-revived' ? [edit.key] : [],
    users: plan.effect.users,
    ...(underTombstones === undefined ? {} : { underTombstones }),
    unreferenced: edit.after === null && edit.kind !== 'account' ? [owner] : [],
    audit: {
      event: changeEvent({
        id: randomUUID(),
        timeMs: context.clock.wallMs(),
        type: plan.type,
        instance: context.instance,
        actor: { id: actor.id, name: actor.name, kind: actor.kind, via: actor.via },
        target: {
          kind: edit.kind,
          id: edit.key,
          name: (edit.after ?? edit.before)?.name ?? edit.key,
        },
        before: edit.before,
        after: edit.after,
        requestId: null,
        clientAddress: null,
      }),
      accounts: edit.kind === 'account' ? [edit.key] : [],
    },
  };
}

/** Unique names that a record holds. */
export function claimsOf(edit: Pick<Edit, 'kind'>, record: Edit['before']): readonly string[] {
  if (record === null) return [];
  if (edit.kind === 'account') return accountClaims(record as Account);
  if (edit.kind === 'team') return (record as Team).applications.map(applicationClaim);
  return [];
}

/**
 * One account per person at the identity provider, whatever they are called there: a new name is no
 * way around a deactivated account.
 */
function accountClaims({ name, subject }: Account): readonly string[] {
  return subject === undefined
    ? [`name:${name}`]
    : [`name:${name}`, `subject:${hash('sha256', subject, 'hex')}`];
}

/**
 * Letter case is folded: two teams owning `CRM` and `crm` would be a trap for whoever reads a path
 * without regard to case.
 */
function applicationClaim(application: string): string {
  return `application:${application.toLowerCase()}`;
}

/** Roles and teams that a record uses, so that none of them can be deleted under it. */
export function targetsOf(edit: Pick<Edit, 'kind'>, record: Edit['before']): readonly string[] {
  if (record === null || edit.kind !== 'account') return [];
  const account = record as Account;
  return [
    ...rolesOf(account)
      .filter((role) => !isBuiltInRole(role))
      .map((role) => `role:${role}`),
    ...account.teams.map(({ team }) => `team:${team}`),
  ];
}

function difference(
  before: readonly string[],
  after: readonly string[],
): { added: string[]; removed: string[] } {
  return {
    added: [...new Set(after)].filter((item) => !before.includes(item)),
    removed: [...new Set(before)].filter((item) => !after.includes(item)),
  };
}

async function refusalOf(
  store: ChangedStore,
  result: Exclude<CommitResult, { committed: true } | { conflict: 'version' }>,
): Promise<AdminError> {
  const [kind = '', ...rest] = result.key.split(':');
  const name = rest.join(':');
  if (result.conflict === 'claim') {
    const message =
      kind === 'application'
        ? `the application ${JSON.stringify(name)} already belongs to another team`
        : kind === 'subject'
          ? 'that person has an account under another name already'
          : `the name ${JSON.stringify(name)} is already taken`;
    return new AdminError('name-taken', message);
  }
  return inUse(store, kind, name, result.count);
}

/** Users named in an `in-use` error. */
const NAMED_USERS = 5;

async function inUse(
  store: ChangedStore,
  kind: string,
  name: string,
  count: number,
): Promise<AdminError> {
  const users = await reading(() => usersOf(store, `${kind}:${name}`, NAMED_USERS));
  const more = count > users.length ? ` and ${count - users.length} more` : '';
  const message = `the ${kind} ${JSON.stringify(name)} is used by ${users.join(', ') || `${count} accounts`}${users.length > 0 ? more : ''}`;
  return new AdminError('in-use', message, { users });
}

/** Names of the accounts that use a role or team (`role:deployer`), at most `limit`. */
export async function usersOf(
  store: ChangedStore,
  target: string,
  limit: number,
): Promise<readonly string[]> {
  const users = await store.referencesTo(target, limit);
  const names = await Promise.all(
    users.map(async (user) => {
      const id = user.slice(user.indexOf(':') + 1);
      return (await store.account(id)).account?.name;
    }),
  );
  return names.filter((name) => name !== undefined).sort();
}
