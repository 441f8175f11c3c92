import type { Account, Role } from '../../account/model.ts';
import { compilePermissions, exceeds } from '../../account/permission.ts';
import type { Commit } from '../../registry/commit.ts';
import type { ChangedStore } from '../context.ts';
import { type Edit, rolesOf } from '../edit.ts';
import { AdminError } from '../error.ts';
import { membersOf } from '../members.ts';
import { Records } from '../records.ts';

/**
 * Which changes need a second administrator: those that concern a protected role. Looked at where
 * changes are written, so that no way in leads past it.
 */

/** Nothing was changed: somebody else must approve it first. */
export class ApprovalNeeded extends AdminError {
  readonly roles: readonly string[];

  constructor(roles: readonly string[]) {
    super(
      'forbidden',
      `this concerns the protected ${plural('role', roles)} ${roles.join(', ')}, so another ` +
        'administrator must approve it, and what makes, sets or carries a secret cannot wait for ' +
        'that: create the account with the role none and give it its role afterwards, or let the ' +
        'owner of the store do it with --without-approval',
    );
    this.roles = roles;
  }
}

export function plural(word: string, items: readonly unknown[]): string {
  return items.length === 1 ? word : `${word}s`;
}

/** What a commit has to do with protected roles. */
export interface Concern {
  /** By name; empty: nothing. */
  readonly roles: readonly string[];
  /** How many are in teams that were looked at: more by now is a conflict of versions. */
  readonly users: NonNullable<Commit['users']>;
}

/** Members of a team that are looked at: one with more concerns every protected role. */
const MEMBERS_MAX = 1000;

export async function concernOf(
  store: ChangedStore,
  commit: Commit,
  named: readonly string[],
): Promise<Concern> {
  if (named.length === 0 || commit.changes.length === 0) return { roles: [], users: [] };
  const look = new Look(store, await Records.read(store), commit, named);
  for (const edit of await look.edits()) await look.at(edit);
  return { roles: [...look.found].sort(), users: look.users };
}

class Look {
  readonly found = new Set<string>();
  readonly users: { readonly target: string; readonly count: number }[] = [];
  readonly #store: ChangedStore;
  readonly #records: Records;
  readonly #commit: Commit;
  readonly #protected: ReadonlySet<string>;

  constructor(store: ChangedStore, records: Records, commit: Commit, named: readonly string[]) {
    this.#store = store;
    this.#records = records;
    this.#commit = commit;
    this.#protected = protectedRoles(records, rolesIn(commit), named);
  }

  /** What the store has of each record now: where it is not what was read, the commit fails. */
  async edits(): Promise<readonly Edit[]> {
    const { changes, expects } = this.#commit;
    const fresh = new Set(
      expects.filter(({ version }) => version === 0).map(({ kind, key }) => `${kind}:${key}`),
    );
    return Promise.all(
      changes.map(async ({ kind, key, record: after }) => {
        const { roles, teams } = this.#records;
        if (kind === 'role') return { kind, key, before: roles.get(key) ?? null, after };
        if (kind === 'team') return { kind, key, before: teams.get(key) ?? null, after };
        const isNew = fresh.has(`${kind}:${key}`);
        const before = isNew ? null : (await this.#store.account(key)).account;
        return { kind, key, before, after };
      }),
    );
  }

  async at(edit: Edit): Promise<void> {
    if (edit.kind === 'account') this.#atAccount(edit.before, edit.after);
    else if (edit.kind === 'role') this.#atRole(edit.key, edit.before, edit.after);
    else await this.#atTeam(edit);
  }

  #atAccount(before: Account | null, after: Account | null): void {
    if (!mayDoMoreOrElse(before, after)) return;
    for (const account of [before, after]) this.#heldBy(account);
  }

  #heldBy(account: Account | null): void {
    for (const role of account === null ? [] : rolesOf(account))
      if (this.#protected.has(role)) this.found.add(role);
  }

  #atRole(name: string, before: Role | null, after: Role | null): void {
    if (!this.#protected.has(name)) return;
    const isSame =
      before !== null &&
      after !== null &&
      before.inDoubt === undefined &&
      differs(before.permissions, after.permissions) === false;
    if (!isSame) this.found.add(name);
  }

  /** An application that comes or goes moves its members from one of their roles to another. */
  async #atTeam({ key, before, after }: Extract<Edit, { kind: 'team' }>): Promise<void> {
    if (before === null) return;
    const isSame = before.inDoubt === undefined && after !== null;
    if (isSame && !differs(before.applications, after.applications)) return;
    const { users, members } = await membersOf(this.#store, key, MEMBERS_MAX + 1);
    if (users.length > MEMBERS_MAX) {
      // One more concerns no other role: nobody has to count them.
      for (const role of this.#protected) this.found.add(role);
      return;
    }
    for (const member of members) this.#heldBy(member);
    this.users.push({ target: `team:${key}`, count: users.length });
  }
}

/**
 * Whether an account comes, goes, gets other roles, or is let in where or when it was not. What
 * shuts it out sooner never waits, nor does a new token or password: these give nobody a role.
 */
function mayDoMoreOrElse(before: Account | null, after: Account | null): boolean {
  if (before === null || after === null) return true;
  return (
    ROLE_FIELDS.some((field) => differs(before[field], after[field])) ||
    (before.status !== 'active' && after.status === 'active') ||
    endMs(after) > endMs(before) ||
    LOOSENED.some((field) => before[field] !== undefined && differs(before[field], after[field]))
  );
}

const ROLE_FIELDS = ['role', 'teams', 'grants', 'subject', 'kind'] as const;
const LOOSENED = ['allowedNetworks', 'boundTo'] as const;

/** A date that cannot be read has passed. */
function endMs({ expiresAt }: Account): number {
  return expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(expiresAt) || 0;
}

function differs(one: unknown, other: unknown): boolean {
  return JSON.stringify(one ?? null) !== JSON.stringify(other ?? null);
}

function rolesIn({ changes }: Commit): ReadonlyMap<string, Role> {
  return new Map(
    changes.flatMap(({ kind, key, record }) =>
      kind === 'role' && record !== null ? [[key, record] as const] : [],
    ),
  );
}

/**
 * The named roles, and every role that allows all that one of them allows, before the change or
 * after it: by another name it would be the same.
 */
function protectedRoles(
  { roles }: Pick<Records, 'roles'>,
  changed: ReadonlyMap<string, Role>,
  named: readonly string[],
): ReadonlySet<string> {
  const forms = (name: string) => [roles.get(name), changed.get(name)].flatMap((one) => one ?? []);
  const wanted = named
    .flatMap(forms)
    .filter(({ permissions }) => permissions.length > 0)
    .map(({ permissions }) => compilePermissions(permissions));
  const equal = [...new Set([...roles.keys(), ...changed.keys()])].filter((name) =>
    forms(name).some(({ permissions }) => {
      const held = compilePermissions(permissions);
      return wanted.some((all) => !exceeds(all, held));
    }),
  );
  return new Set([...named, ...equal]);
}
