import type { Account, Role, Team } from '../account/model.ts';
import type { RecordKind } from '../registry/commit.ts';

/** One record before and after. `after: null` deletes, `before: null` creates. */
export type Edit =
  | {
      readonly kind: 'account';
      readonly key: string;
      readonly before: Account | null;
      readonly after: Account | null;
    }
  | {
      readonly kind: 'role';
      readonly key: string;
      readonly before: Role | null;
      readonly after: Role | null;
    }
  | {
      readonly kind: 'team';
      readonly key: string;
      readonly before: Team | null;
      readonly after: Team | null;
    };

/**
 * A record that the plan relied on without changing it: if it changed meanwhile, the plan is made
 * anew.
 */
export interface Reliance {
  readonly kind: RecordKind;
  readonly key: string;
  readonly version: number;
}

/** Every role an account has somewhere, each once: the default, then those of teams and grants. */
export function rolesOf(account: Pick<Account, 'role' | 'teams' | 'grants'>): readonly string[] {
  return [
    ...new Set([
      account.role,
      ...account.teams.map(({ role }) => role),
      ...account.grants.map(({ role }) => role),
    ]),
  ];
}
