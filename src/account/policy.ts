import type { Role, Team } from './model.ts';
import { compilePermissions, type PermissionSet } from './permission.ts';
import { isBuiltInRole } from './role.ts';

/** What a decision asks of roles and teams. */
export interface PolicyView {
  /** Permissions of a role as one compiled question; false for a role that does not exist. */
  roleAllows(role: string, permission: string): boolean;
  /** The team that owns an application, or null. */
  ownerOf(application: string): string | null;
  /**
   * The owned applications whose spelling is equal but for letter case (ASCII); `folded` is in
   * lower case. More than one is possible: names are case-sensitive.
   */
  ownedLike(folded: string): readonly string[];
}

const NONE: readonly string[] = [];

/**
 * All roles and teams, compiled, and kept up to date record by record. Whoever feeds it keeps the
 * order of changes; within one change an application may pass from one team to another in either
 * order of the two records.
 */
export class Policy implements PolicyView {
  readonly #roles = new Map<string, PermissionSet>();
  readonly #teams = new Map<string, readonly string[]>();
  readonly #owners = new Map<string, string>();
  /** Lower-case spelling -> the spellings that are owned. */
  readonly #spellings = new Map<string, readonly string[]>();

  static of(roles: readonly Role[], teams: readonly Team[]): Policy {
    const policy = new Policy();
    for (const role of roles) policy.putRole(role);
    for (const team of teams) policy.putTeam(team);
    return policy;
  }

  putRole(role: Role): void {
    // `none` is built in: no record, however it came into the store, can give it a permission.
    if (!isBuiltInRole(role.name)) this.#roles.set(role.name, compilePermissions(role.permissions));
  }

  dropRole(name: string): void {
    this.#roles.delete(name);
  }

  putTeam(team: Team): void {
    for (const application of this.#teams.get(team.name) ?? NONE)
      this.#disown(application, team.name);
    for (const application of team.applications) this.#own(application, team.name);
    this.#teams.set(team.name, team.applications);
  }

  dropTeam(name: string): void {
    for (const application of this.#teams.get(name) ?? NONE) this.#disown(application, name);
    this.#teams.delete(name);
  }

  /** The compiled permissions of a role; a role that does not exist has none. */
  permissionsOf(role: string): PermissionSet {
    return this.#roles.get(role) ?? NO_PERMISSIONS;
  }

  roleAllows(role: string, permission: string): boolean {
    return this.#roles.get(role)?.allows(permission) ?? false;
  }

  ownerOf(application: string): string | null {
    return this.#owners.get(application) ?? null;
  }

  ownedLike(folded: string): readonly string[] {
    return this.#spellings.get(folded) ?? NONE;
  }

  #own(application: string, team: string): void {
    if (!this.#owners.has(application)) {
      const folded = application.toLowerCase();
      this.#spellings.set(folded, [...this.ownedLike(folded), application]);
    }
    this.#owners.set(application, team);
  }

  #disown(application: string, team: string): void {
    // It may have passed to another team already.
    if (this.#owners.get(application) !== team) return;
    this.#owners.delete(application);
    const folded = application.toLowerCase();
    const left = this.ownedLike(folded).filter((spelling) => spelling !== application);
    if (left.length === 0) this.#spellings.delete(folded);
    else this.#spellings.set(folded, left);
  }
}

const NO_PERMISSIONS = compilePermissions([]);
