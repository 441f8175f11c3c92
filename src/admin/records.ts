import type { Account, Role, Team } from '../account/model.ts';
import type { PolicySnapshot, RegistryStore } from '../registry/port.ts';
import { type Reliance, rolesOf } from './edit.ts';
import { AdminError, notFound } from './error.ts';

/** Roles and teams at one moment: what a plan is made from. */
export class Records {
  readonly roles: ReadonlyMap<string, Role>;
  readonly teams: ReadonlyMap<string, Team>;

  /** Under which state of the tombstones they were read; undefined where there are none. */
  readonly tombstones: number | undefined;

  constructor({
    roles,
    teams,
    tombstones,
  }: Pick<PolicySnapshot, 'roles' | 'teams' | 'tombstones'>) {
    this.roles = new Map(roles.map((role) => [role.name, role]));
    this.teams = new Map(teams.map((team) => [team.name, team]));
    this.tombstones = tombstones;
  }

  static async read(store: Pick<RegistryStore, 'snapshot'>): Promise<Records> {
    return new Records(await store.snapshot());
  }

  role(name: string): Role {
    const role = this.roles.get(name);
    if (role === undefined) throw notFound('role', name);
    return role;
  }

  team(name: string): Team {
    const team = this.teams.get(name);
    if (team === undefined) throw notFound('team', name);
    return team;
  }

  /**
   * The roles and teams that an account uses, as records that must not change between reading and
   * writing.
   */
  relianceOf(account: Account): readonly Reliance[] {
    const roles = rolesOf(account).flatMap((name) => reliance('role', this.roles.get(name)));
    const teams = account.teams.flatMap(({ team }) => reliance('team', this.teams.get(team)));
    return [...roles, ...teams];
  }

  /** What an account may do anywhere: the permissions of all its roles. */
  permissionsOf(roles: readonly string[]): readonly string[] {
    return roles.flatMap((name) => this.roles.get(name)?.permissions ?? []);
  }
}

/** The record as it is from a change on that was made by somebody who saw what was in doubt. */
export function settled<T extends Role | Team>(record: T): T {
  const { inDoubt: _, ...rest } = record;
  return rest as T;
}

function reliance(kind: 'role' | 'team', record: Role | Team | undefined): readonly Reliance[] {
  return record === undefined ? [] : [{ kind, key: record.name, version: record.version }];
}

export function kindWord(account: Pick<Account, 'kind'>): string {
  return account.kind === 'service' ? 'service account' : 'user';
}

/** A limit on how many there may be; roles and teams are held in memory by every instance. */
export function mustHaveRoom(count: number, limit: number, what: string): void {
  if (count >= limit)
    throw new AdminError('invalid', `there are ${count} ${what} already, and no more are allowed`);
}
