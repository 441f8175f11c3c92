import type { Role, Team } from './model.ts';
import { compilePermissions, type PermissionSet } from './permission.ts';
import { isBuiltInRole } from './role.ts';

/** What a decision asks of roles and teams. */
export interface PolicyView {
  /** Permissions of a role as one compiled question; false for a role that does not exist. */
  roleAllows(role: string, permission: string): boolean;
  /**
   * The team that owns an application, or null. Where that is in doubt: a word that is the name of
   * no team and that `rolelessIn` understands.
   */
  ownerOf(application: string): string | null;
  /**
   * The owned applications whose spelling is equal but for letter case (ASCII); `folded` is in
   * lower case. More than one is possible: names are case-sensitive.
   */
  ownedLike(folded: string): readonly string[];
  /** Every application that a team owns. */
  ownedApplications(): Iterable<string>;
  /** Those of one team; none where there is no such team. */
  applicationsOf(team: string): readonly string[];
}

const NONE: readonly string[] = [];

/** No name of a team has it. */
const DOUBT = '?';

/**
 * Whether an owner, as `ownerOf` answers it, says that the application is in doubt and that members
 * of the team have no role in it.
 */
export function rolelessIn(owner: string, team: string): boolean {
  return owner.includes(`${DOUBT}${team}${DOUBT}`);
}

/** Whether nobody can say which team owns the application that `ownerOf` was asked about. */
export function isInDoubt(owner: string): boolean {
  return owner.startsWith(DOUBT);
}

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
  /** Applications in doubt -> the teams of which it is not known whether they own them. */
  readonly #doubts = new Map<string, readonly string[]>();

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
    this.#doubt(team.name, team.inDoubt ?? NONE);
  }

  dropTeam(name: string): void {
    for (const application of this.#teams.get(name) ?? NONE) this.#disown(application, name);
    this.#teams.delete(name);
    this.#doubt(name, NONE);
  }

  /** The compiled permissions of a role; a role that does not exist has none. */
  permissionsOf(role: string): PermissionSet {
    return this.#roles.get(role) ?? NO_PERMISSIONS;
  }

  roleAllows(role: string, permission: string): boolean {
    return this.#roles.get(role)?.allows(permission) ?? false;
  }

  ownerOf(application: string): string | null {
    const owner = this.#owners.get(application) ?? null;
    return this.#doubts.size === 0 ? owner : this.#doubtedOwner(application, owner);
  }

  ownedLike(folded: string): readonly string[] {
    const owned = this.#spellings.get(folded) ?? NONE;
    if (this.#doubts.size === 0) return owned;
    const doubted = [...this.#doubts.keys()].filter((one) => one.toLowerCase() === folded);
    return [...new Set([...owned, ...doubted])];
  }

  /** Whoever may own it: whatever team a member is in of these, the role there is in doubt. */
  #doubtedOwner(application: string, owner: string | null): string | null {
    const teams = this.#doubts.get(application);
    if (teams === undefined) return owner;
    const all = owner === null ? teams : [...teams, owner];
    return `${DOUBT}${all.join(`${DOUBT}${DOUBT}`)}${DOUBT}`;
  }

  /** What is in doubt of a team from now on. */
  #doubt(team: string, applications: readonly string[]): void {
    if (this.#doubts.size === 0 && applications.length === 0) return;
    for (const [application, teams] of [...this.#doubts]) {
      const left = teams.filter((one) => one !== team);
      if (left.length === 0) this.#doubts.delete(application);
      else this.#doubts.set(application, left);
    }
    for (const application of applications)
      this.#doubts.set(application, [...(this.#doubts.get(application) ?? NONE), team]);
  }

  ownedApplications(): Iterable<string> {
    return this.#owners.keys();
  }

  applicationsOf(team: string): readonly string[] {
    return this.#teams.get(team) ?? NONE;
  }

  #own(application: string, team: string): void {
    if (!this.#owners.has(application)) {
      const folded = application.toLowerCase();
      this.#spellings.set(folded, [...(this.#spellings.get(folded) ?? NONE), application]);
    }
    this.#owners.set(application, team);
  }

  #disown(application: string, team: string): void {
    // It may have passed to another team already.
    if (this.#owners.get(application) !== team) return;
    this.#owners.delete(application);
    const folded = application.toLowerCase();
    const left = (this.#spellings.get(folded) ?? NONE).filter(
      (spelling) => spelling !== application,
    );
    if (left.length === 0) this.#spellings.delete(folded);
    else this.#spellings.set(folded, left);
  }
}

const NO_PERMISSIONS = compilePermissions([]);
