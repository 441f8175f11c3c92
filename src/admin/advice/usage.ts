import type { Account } from '../../account/model.ts';
import type { Policy } from '../../account/policy.ts';
import { compilePrincipal, type Principal } from '../../account/principal.ts';
import { isAboutRights, rejudge } from '../../decision/recorded-call.ts';
import type { Route } from '../../decision/route.ts';
import type { AccountTrail, CallGroup, Seen } from '../trail/fold.ts';

/** Request ids that are kept as evidence. */
const SAMPLES = 3;

/** Calls that speak for something. */
export class Uses implements Seen {
  calls = 0;
  first = '';
  last = '';
  readonly samples: string[] = [];
  readonly accounts = new Set<string>();

  add(account: string, { calls, first, last, samples }: CallGroup): void {
    this.calls += calls;
    if (this.first === '' || first < this.first) this.first = first;
    if (last > this.last) this.last = last;
    if (this.samples.length < SAMPLES)
      this.samples.push(...samples.slice(0, SAMPLES - this.samples.length));
    this.accounts.add(account);
  }
}

/** What one account asked that it is let in with today. */
export interface AccountUse {
  readonly account: Account;
  readonly principal: Principal;
  readonly trail: AccountTrail | null;
  /** Of its calls, those that the records speak for. */
  readonly permitted: readonly CallGroup[];
  /** Applications that it asked for, let in or not. */
  readonly applications: ReadonlySet<string>;
}

/** Who uses what, of all accounts. */
export class RegistryUse {
  /** Role -> permission -> calls that it decided. */
  readonly roles = new Map<string, Map<string, Uses>>();
  readonly applications = new Map<string, Uses>();
  /** Roles that service accounts have, and those that people and baits have. */
  readonly held = new Map<string, number>();
  /** Of the service accounts, those whose rights were changed since the record begins. */
  readonly heldByYoung = new Map<string, number>();
  readonly heldByPeople = new Set<string>();
  readonly heldByBaits = new Set<string>();
  /** Of each team, the roles of its members in it with their default roles. */
  readonly members = new Map<string, Map<string, readonly [inTeam: string, byDefault: string]>>();
  readonly #policy: Policy;
  readonly #routes: ReadonlyMap<string, Route> | null;
  readonly #nowMs: number;
  #knowsSignIn = false;

  constructor(policy: Policy, routes: ReadonlyMap<string, Route> | null, nowMs: number) {
    this.#policy = policy;
    this.#routes = routes;
    this.#nowMs = nowMs;
  }

  /** Whether it is known which roles people get when they sign in. */
  get knowsSignIn(): boolean {
    return this.#knowsSignIn;
  }

  /** Roles that people get when they sign in, whoever has them now; null: it is not known. */
  givenToPeople(roles: readonly string[] | null): void {
    this.#knowsSignIn = roles !== null;
    for (const role of roles ?? []) this.heldByPeople.add(role);
  }

  take(account: Account, trail: AccountTrail | null, isYoung: boolean): AccountUse {
    const principal = compilePrincipal(account);
    this.#hold(account, isYoung);
    const groups = trail?.groups ?? [];
    const applications = new Set(groups.flatMap((group) => group.applications ?? []));
    for (const group of groups)
      for (const application of group.applications ?? [])
        usesIn(this.applications, application).add(account.id, group);
    const permitted = groups.filter((group) => this.#isLetIn(principal, group));
    for (const group of permitted) this.#count(principal, group);
    return { account, principal, trail, permitted, applications };
  }

  /** Whether all of these calls would be let in of such an account. */
  areLetIn(account: Account, groups: readonly CallGroup[]): boolean {
    const principal = compilePrincipal(account);
    return groups.every((group) => this.#isLetIn(principal, group));
  }

  #isLetIn(principal: Principal, group: CallGroup): boolean {
    const route = this.#routes?.get(group.route ?? '') ?? null;
    if (!group.permitted || !isAboutRights(group, route)) return false;
    const judged = rejudge(this.#policy, principal, group, route, this.#nowMs);
    return judged?.reason === 'permitted';
  }

  #count(principal: Principal, group: CallGroup): void {
    const policy = this.#policy;
    const roles =
      group.applications === null
        ? [principal.account.role, ...(group.unsafe ? principal.perApplicationRoles : [])]
        : group.applications.map((one) => principal.effectiveRole(one, policy.ownerOf(one)));
    for (const role of new Set(roles)) {
      const known = this.roles.get(role) ?? new Map<string, Uses>();
      this.roles.set(role, known);
      for (const permission of group.permissions)
        usesIn(known, permission).add(principal.account.id, group);
    }
  }

  #hold({ kind, honey, role, teams, grants }: Account, isYoung: boolean): void {
    const roles = new Set([role, ...[...teams, ...grants].map((entry) => entry.role)]);
    if (honey === true) for (const one of roles) this.heldByBaits.add(one);
    else if (kind === 'user') for (const one of roles) this.heldByPeople.add(one);
    else
      for (const held of isYoung ? [this.held, this.heldByYoung] : [this.held])
        for (const one of roles) held.set(one, (held.get(one) ?? 0) + 1);
    for (const { team, role: inTeam } of teams) {
      const pairs = this.members.get(team) ?? new Map();
      this.members.set(team, pairs.set(`${inTeam} ${role}`, [inTeam, role]));
    }
  }
}

function usesIn(map: Map<string, Uses>, key: string): Uses {
  const known = map.get(key);
  if (known !== undefined) return known;
  const uses = new Uses();
  map.set(key, uses);
  return uses;
}
