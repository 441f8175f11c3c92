import { Policy } from '../../account/policy.ts';
import type { AccountPage } from '../../registry/port.ts';
import { turn } from '../../turns.ts';
import { type AdminActor, mustBeThere, mustHave } from '../actor.ts';
import { reading } from '../change.ts';
import type { AdminContext } from '../context.ts';
import { AdminError } from '../error.ts';
import type { TrailFold } from '../trail/fold.ts';
import type { TrailQuery, TrailWindow } from '../trail/port.ts';
import { routesByName } from '../trail/routes.ts';
import { FINDING_KINDS, type Finding, type FindingKind } from './finding.ts';
import { AccountAdvice } from './of-accounts.ts';
import { dormant, expiring, type ListAdvice, oldTokens } from './of-lists.ts';
import { adviceOnRole, adviceOnTeam } from './of-policy.ts';
import { RightsChanged } from './rights-changed.ts';
import { RegistryUse } from './usage.ts';

/** Findings of one kind that are named; all are counted. */
const NAMED_MAX = 50;
/** Accounts that are held against the record; more are not, and roles and teams then neither. */
const ACCOUNTS_MAX = 20_000;
const PAGE = 200;
/** Accounts that are judged in one turn of the loop. */
const AT_ONCE = 20;
/** A shorter record does not say what is not needed. */
const SHORTEST_MS = 86_400_000;

const DEFAULTS = { days: 30, tokenOlderThanDays: 180, expiringWithinDays: 30 } as const;

export interface AdviseInput extends Partial<TrailQuery> {
  /** A token is old from so many days on; default 180. */
  readonly tokenOlderThanDays?: number;
  /** Default 30. */
  readonly expiringWithinDays?: number;
}

export interface Advice {
  readonly window: TrailWindow;
  /** Goes on where this ended; findings come with the last answer. Null: this is it. */
  readonly next: string | null;
  /** Accounts that were held against the record. */
  readonly accounts: number;
  /** There are more accounts than are looked at, so that of roles and teams nothing is said. */
  readonly accountsCut: boolean;
  /** Accounts whose record cannot be read: with any, of roles and teams nothing is said. */
  readonly damaged: number;
  /** Less than a day was looked at: nothing is said of what was not used. */
  readonly tooShort: boolean;
  /**
   * Whose rights were changed in that time: nothing is said of what it did not use, which it may
   * have been given yesterday.
   */
  readonly changed: Changed;
  /** How many there are of each kind, named or not. */
  readonly counts: Readonly<Record<FindingKind, number>>;
  /** At most 50 of each kind, the kinds in the order of their table. */
  readonly items: readonly Finding[];
}

/**
 * What is granted held against what the record says was used: permissions, applications, grants and
 * memberships that nobody needs, accounts that a narrower role would have served, dormant ones, old
 * tokens, expiries that will hurt. Each with its evidence and a change for review; nothing is
 * changed.
 */
export async function advise(
  context: AdminContext,
  actor: AdminActor,
  input: AdviseInput,
): Promise<Advice> {
  mustHave(actor, 'sallyport:activity:read');
  const { trails } = context;
  if (trails === undefined)
    throw new AdminError('unavailable', 'this process has no record of calls: ask a running gate');
  const { days = DEFAULTS.days, cursor = null } = input;
  const { fold, window, next } = await trails.read({ days, cursor }, actor);
  const found = new Found();
  // What was not used is known when all was read, and not sooner.
  if (next !== null) return found.answer(window, next, { ...NONE_LOOKED_AT, tooShort: false });
  const tooShort = Date.parse(window.until) - Date.parse(window.from) < SHORTEST_MS;
  // What cannot be read may be the use of anything.
  const looked =
    tooShort || window.unreadable > 0
      ? NONE_LOOKED_AT
      : await judgeUse(context, actor, fold, window, found);
  const asked = { context, actor, fold, most: NAMED_MAX };
  const { tokenOlderThanDays = DEFAULTS.tokenOlderThanDays } = input;
  const { expiringWithinDays = DEFAULTS.expiringWithinDays } = input;
  found.addList('account-dormant', await dormant(asked, days));
  found.addList('token-old', await oldTokens(asked, tokenOlderThanDays));
  found.addList('account-expiring', await expiring(asked, expiringWithinDays));
  return found.answer(window, null, { ...looked, tooShort });
}

/** How many of each. Of accounts, those that were looked at. */
export interface Changed {
  readonly accounts: number;
  readonly roles: number;
  readonly teams: number;
}

interface Looked {
  readonly accounts: number;
  readonly isCut: boolean;
  readonly damaged: number;
  readonly changed: Changed;
}

const NONE_CHANGED: Changed = { accounts: 0, roles: 0, teams: 0 };
const NONE_LOOKED_AT: Looked = { accounts: 0, isCut: false, damaged: 0, changed: NONE_CHANGED };

async function judgeUse(
  context: AdminContext,
  actor: AdminActor,
  fold: TrailFold,
  { from }: TrailWindow,
  found: Found,
): Promise<Looked> {
  const { store, clock } = context;
  const { roles, teams, seq } = await reading(() => store.snapshot());
  const younger = await RightsChanged.read(context, actor, { since: from, asOf: seq });
  const policy = Policy.of(roles, teams);
  const use = new RegistryUse(policy, await routesByName(context), clock.wallMs());
  use.givenToPeople(context.identityRoles?.() ?? null);
  const advice = new AccountAdvice({ policy, use, roles, teams, changed: younger });
  let accounts = 0;
  let damaged = 0;
  let changedAccounts = 0;
  let cursor: string | null = null;
  do {
    mustBeThere(actor);
    const page: AccountPage = await reading(() => store.accounts({ cursor, limit: PAGE }));
    for (const [at, account] of page.items.entries()) {
      if (at % AT_ONCE === 0) await turn();
      const isYoung = younger.account(account);
      found.add(advice.of(use.take(account, fold.accounts.get(account.id) ?? null, isYoung)));
      if (advice.isJudged(account) && isYoung) changedAccounts += 1;
    }
    accounts += page.items.length;
    damaged += page.damaged.length;
    cursor = page.next;
  } while (cursor !== null && accounts < ACCOUNTS_MAX);
  const isCut = cursor !== null;
  const changed = {
    accounts: changedAccounts,
    roles: roles.filter((role) => younger.role(role)).length,
    teams: teams.filter((team) => younger.team(team)).length,
  };
  if (isCut || damaged > 0) return { accounts, isCut, damaged, changed };
  const byName = (a: { readonly name: string }, b: { readonly name: string }) =>
    a.name < b.name ? -1 : 1;
  for (const role of [...roles].sort(byName))
    if (!younger.role(role)) found.add(adviceOnRole(role, use));
  for (const team of [...teams].sort(byName))
    if (!younger.team(team)) found.add(adviceOnTeam(team, use, policy));
  return { accounts, isCut, damaged, changed };
}

/** Findings by kind: the first of each are named. */
class Found {
  readonly #counts = new Map<FindingKind, number>();
  readonly #named = new Map<FindingKind, Finding[]>();

  add(findings: readonly Finding[]): void {
    for (const finding of findings) {
      const { kind } = finding;
      this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
      const named = this.#named.get(kind) ?? [];
      if (named.length < NAMED_MAX) named.push(finding);
      this.#named.set(kind, named);
    }
  }

  addList(kind: FindingKind, { items, total }: ListAdvice): void {
    this.#counts.set(kind, total);
    this.#named.set(kind, [...items]);
  }

  answer(
    window: TrailWindow,
    next: string | null,
    looked: Looked & { readonly tooShort: boolean },
  ): Advice {
    const { accounts, isCut, damaged, changed, tooShort } = looked;
    const counts = Object.fromEntries(
      FINDING_KINDS.map((kind) => [kind, this.#counts.get(kind) ?? 0]),
    ) as Record<FindingKind, number>;
    const items = FINDING_KINDS.flatMap((kind) => this.#named.get(kind) ?? []);
    const reach = { accounts, accountsCut: isCut, damaged, tooShort, changed };
    return { window, next, ...reach, counts, items };
  }
}
