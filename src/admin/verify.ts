import type { Account, AccountKind } from '../account/model.ts';
import { type ListFilter, UNFILTERED } from '../registry/listing/query.ts';
import { type RegistryStore, RegistryUnavailable } from '../registry/port.ts';
import { turn } from '../turns.ts';
import { claimsOf, targetsOf } from './change.ts';
import { rolesOf } from './edit.ts';

/** What a registry holds, and everything in which its parts do not agree. */
export interface Verification {
  readonly accounts: number;
  readonly roles: number;
  readonly teams: number;
  readonly claims: number;
  readonly references: number;
  /** One sentence each, at most `FINDINGS_MAX`. */
  readonly findings: readonly string[];
  /** How many there are. */
  readonly found: number;
}

const FINDINGS_MAX = 100;

/** How often a registry is looked at that changes meanwhile. */
const PASSES = 3;
/** Accounts read at once: a few milliseconds of a running gate. */
const SLICE = 50;

type Store = Pick<RegistryStore, 'accounts' | 'inspect' | 'list' | 'snapshot' | 'tendLists'>;

/**
 * Compares records, names, references, lists and counts of a registry with each other. What was
 * only seen once while the registry was being changed is no finding. Throws `RegistryUnavailable`
 * where it cannot be read.
 */
export async function verifyRegistry(store: Store): Promise<Verification> {
  try {
    await store.tendLists(() => true);
    let before: ReadonlySet<string> | null = null;
    for (let passes = 1; ; passes += 1) {
      const { seq } = await store.snapshot();
      const look = await new Look(store).take();
      const findings = [...look.findings].filter((one) => before === null || before.has(one));
      if (findings.length === 0 || passes === PASSES || (await store.snapshot()).seq === seq)
        return { ...look.counts(), ...told(findings) };
      before = new Set(findings);
    }
  } catch (fault) {
    return damageFound(fault);
  }
}

/** A registry that tells of its damage by itself. Throws what is none. */
export function damageFound(fault: unknown): Verification {
  if (!(fault instanceof RegistryUnavailable) || fault.why !== 'damaged') throw fault;
  const nothing = { accounts: 0, roles: 0, teams: 0, claims: 0, references: 0 };
  return { ...nothing, ...told([fault.message]) };
}

function told(findings: readonly string[]): Pick<Verification, 'findings' | 'found'> {
  return { findings: findings.slice(0, FINDINGS_MAX), found: findings.length };
}

/**
 * One look at everything. What should be there is noted first and crossed out where it is found.
 */
class Look {
  readonly findings = new Set<string>();
  readonly #store: Store;
  readonly #accounts = new Set<string>();
  readonly #roles: string[] = [];
  readonly #teams: string[] = [];
  /** Claim -> owner. */
  readonly #claims = new Map<string, string>();
  /** Target -> users. */
  readonly #uses = new Map<string, Set<string>>();
  /** What a list is narrowed by -> how many accounts it should have. */
  readonly #listed = new Map<string, number>();
  #claimCount = 0;
  #referenceCount = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  counts(): Omit<Verification, 'findings' | 'found'> {
    return {
      accounts: this.#accounts.size,
      roles: this.#roles.length,
      teams: this.#teams.length,
      claims: this.#claimCount,
      references: this.#referenceCount,
    };
  }

  async take(): Promise<this> {
    await this.#readPolicy();
    await this.#readAccounts();
    await this.#compareStored();
    for (const kind of ['service', 'user'] as const) await this.#compareList(kind);
    return this;
  }

  async #readPolicy(): Promise<void> {
    const { roles, teams, damagedRoles } = await this.#store.snapshot();
    for (const role of roles) this.#roles.push(role.name);
    for (const name of damagedRoles) {
      this.#roles.push(name);
      this.findings.add(`role ${name}: its record cannot be read`);
    }
    for (const team of teams) {
      this.#teams.push(team.name);
      for (const claim of claimsOf({ kind: 'team' }, team))
        this.#claims.set(claim, `team:${team.name}`);
    }
    for (const name of this.#roles) this.#uses.set(`role:${name}`, new Set());
    for (const name of this.#teams) this.#uses.set(`team:${name}`, new Set());
  }

  async #readAccounts(): Promise<void> {
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<Store['accounts']>> = await this.#store.accounts({
        cursor,
        limit: SLICE,
      });
      for (const account of page.items) this.#note(account);
      for (const id of page.damaged) {
        this.#accounts.add(id);
        this.findings.add(`account ${id}: its record cannot be read`);
      }
      cursor = page.next;
      await turn();
    } while (cursor !== null);
  }

  #note(account: Account): void {
    const { id, kind } = account;
    const owner = `account:${id}`;
    const edit = { kind: 'account' } as const;
    this.#accounts.add(id);
    for (const claim of claimsOf(edit, account)) {
      const other = this.#claims.get(claim);
      if (other !== undefined) this.findings.add(`${claim}: both ${other} and ${owner} have it`);
      this.#claims.set(claim, owner);
    }
    for (const target of targetsOf(edit, account)) {
      const users = this.#uses.get(target);
      if (users === undefined)
        this.findings.add(`account ${id}: uses ${target}, which is not there`);
      else users.add(owner);
    }
    const roles = rolesOf(account).map((role) => `role:${role}`);
    const teams = new Set(account.teams.map(({ team }) => `team:${team}`));
    for (const mark of ['', ...roles, ...teams]) {
      const list = `${kind} ${mark}`;
      this.#listed.set(list, (this.#listed.get(list) ?? 0) + 1);
    }
  }

  async #compareStored(): Promise<void> {
    const known = new Set<string>();
    for await (const stored of this.#store.inspect([...this.#uses.keys()])) {
      if (stored.kind === 'account') known.add(stored.key);
      else if (stored.kind === 'claim') this.#compareClaim(stored.key, stored.value);
      else if (stored.kind === 'reference') this.#compareUse(stored.key, stored.value);
      else this.#compareCount(stored.key, stored.value);
    }
    for (const id of known)
      if (!this.#accounts.has(id))
        this.findings.add(`account ${id}: its record is gone, or counts as deleted`);
    for (const id of this.#accounts)
      if (!known.has(id)) this.findings.add(`account ${id}: is not in the list of all`);
    for (const [claim, owner] of this.#claims)
      this.findings.add(`${claim}: is not kept for ${owner}`);
    for (const [target, users] of this.#uses)
      for (const user of users) this.findings.add(`${target}: does not know that ${user} uses it`);
  }

  #compareClaim(claim: string, owner: string): void {
    this.#claimCount += 1;
    const should = this.#claims.get(claim);
    this.#claims.delete(claim);
    if (should !== owner)
      this.findings.add(`${claim}: is kept for ${owner}, and ${should ?? 'nobody'} has it`);
  }

  #compareUse(target: string, user: string): void {
    this.#referenceCount += 1;
    if (this.#uses.get(target)?.delete(user) !== true)
      this.findings.add(`${target}: is said to be used by ${user}, which does not use it`);
  }

  #compareCount(what: 'accounts' | 'roles' | 'teams' | 'claims', should: number): void {
    const is = this.counts()[what];
    if (is !== should) this.findings.add(`${is} ${what} are there, and ${should} should be`);
  }

  async #compareList(kind: AccountKind): Promise<void> {
    await this.#compareMembers(kind);
    for (const role of this.#roles) await this.#compareTotal(kind, `role:${role}`, { role });
    for (const team of this.#teams) await this.#compareTotal(kind, `team:${team}`, { team });
  }

  async #compareMembers(kind: AccountKind): Promise<void> {
    const seen = new Set<string>();
    let cursor: string | null = null;
    let total = 0;
    do {
      const page: Awaited<ReturnType<Store['list']>> = await this.#store.list({
        ...query(kind),
        cursor,
      });
      for (const { account } of page.items) seen.add(account.id);
      total = page.total;
      cursor = page.next;
      await turn();
    } while (cursor !== null);
    const should = this.#listed.get(`${kind} `) ?? 0;
    const what = kind === 'user' ? 'users' : 'service accounts';
    if (seen.size !== should || total !== should)
      this.findings.add(
        `the list of ${what} has ${seen.size} and says ${total}, and there are ${should}`,
      );
  }

  async #compareTotal(kind: AccountKind, mark: string, by: Partial<ListFilter>): Promise<void> {
    const { total } = await this.#store.list({ ...query(kind), ...by, limit: 1 });
    const should = this.#listed.get(`${kind} ${mark}`) ?? 0;
    if (total !== should)
      this.findings.add(
        `the list of ${kind} accounts with ${mark} says ${total}, and not ${should}`,
      );
  }
}

/** Nothing expires in it: what is active is what the record says. */
function query(kind: AccountKind): Parameters<Store['list']>[0] {
  return {
    kind,
    ...UNFILTERED,
    nowMs: 0,
    limit: SLICE,
  };
}
