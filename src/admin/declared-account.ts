import { isDeepStrictEqual } from 'node:util';
import { newAccountId } from '../account/id.ts';
import type { Account, AccountStatus, Grant, TeamMembership } from '../account/model.ts';
import { mustHaveWrite } from './accounts.ts';
import type { AdminActor } from './actor.ts';
import { change } from './change.ts';
import type { AdminContext, Receipted } from './context.ts';
import { judge } from './effect.ts';
import { AdminError } from './error.ts';
import { FIELD_LIMITS, Fields } from './fields.ts';
import { someoneRemains } from './last-administrator.ts';
import { Records } from './records.ts';
import {
  RESTRICTION_FIELDS,
  type RestrictionInput,
  readRestriction,
  withoutRestriction,
} from './restriction.ts';
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
  context: AdminContext,
  actor: AdminActor,
  input: DeclaredAccount,
): Promise<DeclaredAnswer> {
  mustHaveWrite(actor);
  return change(context, actor, async () => {
    const nowMs = context.clock.wallMs();
    const records = await Records.read(context.store);
    const wanted = readWanted(input, records);
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

function readWanted(input: DeclaredAccount, records: Records): Wanted {
  const fields = new Fields(input, [
    'name',
    'role',
    'description',
    'teams',
    'grants',
    'status',
    'expiresAt',
    ...RESTRICTION_FIELDS,
  ]);
  const role = fields.name('role');
  const teams = fields.memberships('teams', FIELD_LIMITS.teamsPerAccount);
  const grants = readGrants(input.grants ?? [], fields);
  const wanted: Wanted = {
    name: fields.name('name'),
    description: fields.description(),
    role,
    teams: [...teams].sort((a, b) => (a.team < b.team ? -1 : 1)),
    grants: [...grants].sort((a, b) => (a.application < b.application ? -1 : 1)),
    status: fields.oneOf('status', ['active', 'inactive'] as const, 'active'),
    // A declaration may outlive the moment: one that has passed is a state like any other.
    expiresAt:
      fields.has('expiresAt') && input.expiresAt !== null ? fields.moment('expiresAt') : null,
    ...readRestriction(fields),
  };
  records.expectRole(fields, 'role', role);
  teams.forEach((membership, index) => {
    records.expectTeam(fields, `teams[${index}].team`, membership.team);
    records.expectRole(fields, `teams[${index}].role`, membership.role);
  });
  grants.forEach((grant, index) => {
    records.expectRole(fields, `grants[${index}].role`, grant.role);
  });
  fields.check();
  return wanted;
}

/** `[{ application, role }]`, each application once. */
function readGrants(list: readonly unknown[], fields: Fields): readonly Grant[] {
  if (list.length > FIELD_LIMITS.grantsPerAccount)
    fields.fault(
      'grants',
      `has ${list.length} entries; ${FIELD_LIMITS.grantsPerAccount} are allowed`,
    );
  const grants = list.slice(0, FIELD_LIMITS.grantsPerAccount).map((item) => {
    const grant = new Fields(item, ['application', 'role']);
    const read = { application: grant.name('application'), role: grant.name('role') };
    grant.check();
    return read;
  });
  const applications = grants.map(({ application }) => application);
  const twice = applications.find(
    (application, index) => applications.indexOf(application) !== index,
  );
  if (twice !== undefined) fields.fault('grants', `names the application ${twice} more than once`);
  return grants;
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
