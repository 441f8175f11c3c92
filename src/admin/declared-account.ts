import { isDeepStrictEqual } from 'node:util';
import { newAccountId } from '../account/id.ts';
import type { Account, AccountStatus, Grant, TeamMembership } from '../account/model.ts';
import type { AdminActor } from './actor.ts';
import { change } from './change.ts';
import type { ChangeContext, Receipted } from './context.ts';
import { judge } from './effect.ts';
import { AdminError } from './error.ts';
import { someoneRemains } from './last-administrator.ts';
import { mustMean } from './meaning.ts';
import { Records } from './records.ts';
import {
  type RESTRICTION_FIELDS,
  type RestrictionInput,
  restrictionIn,
  withoutRestriction,
} from './restriction.ts';
import { DECLARED_ACCOUNT } from './schemas/inputs.ts';
import { type AccountView, viewAccount } from './views.ts';

/** A service account as it is to be, whole: what is left out is empty. */
export interface DeclaredAccount extends RestrictionInput {
  readonly name: string;
  readonly role: string;
  readonly description?: string;
  readonly teams?: readonly TeamMembership[];
  readonly grants?: readonly Grant[];
  readonly status?: AccountStatus;
  readonly expiresAt?: string | null;
}

export interface DeclaredAnswer extends Receipted {
  readonly account: AccountView;
  readonly outcome: 'created' | 'changed' | 'unchanged';
}

type Wanted = Pick<
  Account,
  | 'name'
  | 'description'
  | 'role'
  | 'teams'
  | 'grants'
  | 'status'
  | 'expiresAt'
  | (typeof RESTRICTION_FIELDS)[number]
>;

/**
 * Makes a service account what it is declared to be, in one change. A new one gets no token:
 * whoever applies a declaration (a pipeline, from a repository) must not be handed one;
 * `rotateToken` issues it to whoever will use it. An existing one keeps its token.
 */
export function declareServiceAccount(
  context: ChangeContext,
  actor: AdminActor,
  input: DeclaredAccount,
): Promise<DeclaredAnswer> {
  return change(context, actor, async () => {
    const nowMs = context.clock.wallMs();
    const records = await Records.read(context.store);
    mustMean(DECLARED_ACCOUNT, input, records, nowMs);
    const wanted = wantedOf(input);
    const before = await context.store.accountByName(wanted.name);
    if (before !== null && before.kind !== 'service')
      throw new AdminError('name-taken', `${wanted.name} is a user, not a service account`);
    const after =
      before === null ? created(wanted, nowMs) : { ...withoutRestriction(before), ...wanted };
    const effect = await judge(context, actor, records, {
      kind: 'account',
      key: after.id,
      before,
      after,
    });
    const remaining = before === null ? [] : await someoneRemains(context, records, before, after);
    const outcome =
      before === null ? 'created' : isDeepStrictEqual(before, after) ? 'unchanged' : 'changed';
    return {
      edit:
        outcome === 'unchanged'
          ? null
          : {
              kind: 'account',
              key: after.id,
              before,
              after: { ...after, updatedAt: isoOf(nowMs) },
            },
      type: before === null ? 'account-created' : 'account-changed',
      effect,
      reliesOn: remaining,
      answer: (version) => ({
        account: viewAccount({ ...after, version: version || after.version }, nowMs),
        outcome,
      }),
    };
  });
}

function wantedOf(input: DeclaredAccount): Wanted {
  const { name, role, description = '', teams = [], grants = [] } = input;
  const { status = 'active', expiresAt = null } = input;
  return {
    ...{ name, description, role, status, expiresAt },
    teams: [...teams].sort((a, b) => (a.team < b.team ? -1 : 1)),
    grants: [...grants].sort((a, b) => (a.application < b.application ? -1 : 1)),
    ...restrictionIn(input),
  };
}

function created(wanted: Wanted, nowMs: number): Account {
  const at = isoOf(nowMs);
  return {
    ...wanted,
    id: newAccountId(),
    version: 0,
    kind: 'service',
    createdAt: at,
    updatedAt: at,
    token: null,
    retired: [],
    password: null,
  };
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
