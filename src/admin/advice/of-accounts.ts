import type { Account, Role, Team } from '../../account/model.ts';
import { compilePermissions, exceeds, isOwn } from '../../account/permission.ts';
import type { Policy } from '../../account/policy.ts';
import { compilePrincipal } from '../../account/principal.ts';
import { NO_ROLE } from '../../account/role.ts';
import { type Evidence, type Finding, NO_CALLS } from './finding.ts';
import * as prepared from './prepared.ts';
import type { RightsChanged } from './rights-changed.ts';
import { type AccountUse, type RegistryUse, Uses } from './usage.ts';

/** Roles that are tried in the place of one. */
const TRIED_MAX = 50;

interface AccountAdviceOptions {
  readonly policy: Policy;
  readonly use: RegistryUse;
  readonly roles: readonly Role[];
  readonly teams: readonly Team[];
  /** Of these it cannot be said what they did not use. */
  readonly changed: RightsChanged;
}

/** What is worth a look about one service account, by what it called. */
export class AccountAdvice {
  readonly #policy: Policy;
  readonly #use: RegistryUse;
  readonly #roles: readonly Role[];
  readonly #narrower = new Map<string, readonly string[]>();
  readonly #changed: RightsChanged;
  /** Names of roles and teams that are younger than the record, as they are now. */
  readonly #young: { readonly roles: ReadonlySet<string>; readonly teams: ReadonlySet<string> };

  constructor({ policy, use, roles, teams, changed }: AccountAdviceOptions) {
    this.#policy = policy;
    this.#use = use;
    this.#roles = roles;
    this.#changed = changed;
    this.#young = {
      roles: new Set(roles.filter((role) => changed.role(role)).map(({ name }) => name)),
      teams: new Set(teams.filter((team) => changed.team(team)).map(({ name }) => name)),
    };
  }

  of(one: AccountUse): readonly Finding[] {
    const { account } = one;
    if (!this.isJudged(account)) return [];
    // What was given in the meantime cannot have been used all along, and which part of the record
    // is younger is not known.
    if (this.#changed.account(account)) return [];
    return [...this.#narrowerRole(one), ...this.#grants(one), ...this.#teams(one)];
  }

  /** A bait is there to be taken: it calls nothing, and has what it has for the look of it. */
  isJudged({ kind, status, honey }: Account): boolean {
    return kind === 'service' && status === 'active' && honey !== true;
  }

  /** A role that there is, and that would have let in every call that was let in. */
  #narrowerRole({ account, permitted, trail }: AccountUse): readonly Finding[] {
    if (permitted.length === 0 || this.#young.roles.has(account.role)) return [];
    const ownIsUsed = (trail?.adminCalls ?? 0) > 0;
    const passing = this.#narrowerThan(account.role)
      .filter((role) => !ownIsUsed || this.#keepsOwn(account.role, role))
      .filter((role) => this.#use.areLetIn({ ...account, role }, permitted));
    const narrowest = passing.find((role) =>
      passing.every((other) => other === role || !this.#isBelow(other, role)),
    );
    if (narrowest === undefined) return [];
    const evidence = evidenceOf(account.id, permitted);
    const calls = evidence.calls === 1 ? 'The one call' : `All ${evidence.calls} calls`;
    const words = `${calls} that ${account.name} was let in with would have been let in with the role ${narrowest} instead of ${account.role}.`;
    const details = [
      ...this.#covered(account.role),
      ...(ownIsUsed
        ? [`It also calls the admin API, and has the same rights there with ${narrowest}.`]
        : []),
    ];
    const change = prepared.withRole(account, narrowest);
    return [finding('role-narrower', account, words, { ...evidence, details }, change)];
  }

  #covered(role: string): readonly string[] {
    const { patterns } = this.#policy.permissionsOf(role);
    return patterns.length === 0 ? [] : [`${role} allows ${patterns.join(', ')}.`];
  }

  /** A grant that lowers is not taken back: that would give more. */
  #grants({ account, principal, applications }: AccountUse): readonly Finding[] {
    return account.grants.flatMap(({ application, role }) => {
      if (applications.has(application)) return [];
      const grants = account.grants.filter((one) => one.application !== application);
      const owner = this.#policy.ownerOf(application);
      const after = compilePrincipal({ ...account, grants }).effectiveRole(application, owner);
      if (this.#mayMore(after, principal.effectiveRole(application, owner))) return [];
      const words = `${account.name} has not called anything on ${application}, where a grant gives it the role ${role}.`;
      const details = [`Without the grant its role there is ${after}.`];
      const change = prepared.withoutGrant(account, application);
      return [finding('grant-unused', account, words, { ...NO_CALLS, details }, change)];
    });
  }

  #teams({ account, principal, applications }: AccountUse): readonly Finding[] {
    return account.teams.flatMap(({ team, role }) => {
      if (this.#young.teams.has(team)) return [];
      const owned = this.#policy.applicationsOf(team);
      if (owned.length === 0 || owned.some((one) => applications.has(one))) return [];
      const teams = account.teams.filter((one) => one.team !== team);
      const without = compilePrincipal({ ...account, teams });
      const raises = owned.some((one) =>
        this.#mayMore(without.effectiveRole(one, team), principal.effectiveRole(one, team)),
      );
      if (raises) return [];
      const words = `${account.name} has not called anything on the applications of the team ${team}, in which it is ${role}.`;
      const change = prepared.withoutTeam(account, team);
      const evidence = { ...NO_CALLS, details: [] };
      return [finding('membership-unused', account, words, evidence, change)];
    });
  }

  #mayMore(role: string, than: string): boolean {
    const policy = this.#policy;
    return role !== than && exceeds(policy.permissionsOf(role), policy.permissionsOf(than));
  }

  /** Strictly: it gives nothing more, and something less. */
  #isBelow(role: string, than: string): boolean {
    return !this.#mayMore(role, than) && this.#mayMore(than, role);
  }

  #keepsOwn(role: string, other: string): boolean {
    const own = this.#policy.permissionsOf(role).patterns.filter(isOwn);
    return !exceeds(compilePermissions(own), this.#policy.permissionsOf(other));
  }

  #narrowerThan(role: string): readonly string[] {
    const known = this.#narrower.get(role);
    if (known !== undefined) return known;
    const names = [NO_ROLE, ...this.#roles.map(({ name }) => name).sort()];
    const found = names.filter((name) => this.#isBelow(name, role)).slice(0, TRIED_MAX);
    this.#narrower.set(role, found);
    return found;
  }
}

function evidenceOf(account: string, groups: AccountUse['permitted']): Omit<Evidence, 'details'> {
  const uses = new Uses();
  for (const group of groups) uses.add(account, group);
  const { calls, first, last, samples } = uses;
  return { calls, first, last, samples };
}

function finding(
  kind: Finding['kind'],
  { name }: Account,
  words: string,
  evidence: Evidence,
  change: Finding['change'],
): Finding {
  return { kind, target: { kind: 'account', name }, words, evidence, change };
}
