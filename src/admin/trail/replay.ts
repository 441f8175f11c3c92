import type { Account } from '../../account/model.ts';
import type { PolicyView } from '../../account/policy.ts';
import { compilePrincipal, type Principal } from '../../account/principal.ts';
import { isAboutRights, type Rejudged, rejudge } from '../../decision/recorded-call.ts';
import type { Route } from '../../decision/route.ts';
import { turn } from '../../turns.ts';
import { reading } from '../change.ts';
import type { ChangedStore } from '../context.ts';
import type { AccountTrail, CallGroup, TrailFold } from './fold.ts';

/** Kinds of calls that are named one by one: those with the most calls. */
const ITEMS_MAX = 100;
/** Accounts that are read at once. */
const ACCOUNTS_AT_ONCE = 50;

/** Calls of one account that the change would have told something else. */
export interface ReplayItem {
  readonly account: string;
  readonly accountId: string;
  /** What was asked; several permissions or applications where the call was about several. */
  readonly permissions: readonly string[];
  /** Null: any. */
  readonly applications: readonly string[] | null;
  readonly route: string | null;
  readonly calls: number;
  /** ISO 8601, UTC. */
  readonly first: string;
  readonly last: string;
  /** Request ids of some of them, the newest first. */
  readonly samples: readonly string[];
  /** What they would be told, and by which role, without the change and with it. */
  readonly before: Rejudged;
  readonly after: Rejudged;
}

export interface ReplayPart {
  readonly calls: number;
  readonly accounts: number;
  /** At most 100, those with the most calls. */
  readonly items: readonly ReplayItem[];
}

/** What a change would have done to recorded calls. */
export interface ReplayResult {
  /** Calls that are let in today and would be refused with the change. */
  readonly refuses: ReplayPart;
  /** Calls that are refused today and would be let in with the change. */
  readonly letsIn: ReplayPart;
  /** Calls that were judged. */
  readonly judged: number;
  /** Of them, those that are judged otherwise today than they were then: records have changed. */
  readonly otherwise: number;
  /** Of them, those whose route is gone or asks for another permission: judged by what it asked. */
  readonly movedRoutes: number;
  /**
   * Calls that the records cannot judge: refused for something else than what roles say, counted in
   * a flood, or of an account that is held to other addresses or another certificate by the change.
   */
  readonly notJudged: number;
  /** Calls of accounts that are deleted. */
  readonly gone: number;
}

/** The registry before a change and after it. */
export interface Compared {
  readonly store: Pick<ChangedStore, 'account'>;
  readonly before: PolicyView;
  readonly after: PolicyView;
  /** Accounts that the change concerns, as they would be; null: deleted. */
  readonly changed: ReadonlyMap<string, Account | null>;
  /** By name; null: no routes are known here. */
  readonly routes: ReadonlyMap<string, Route> | null;
  /** Wall clock. */
  readonly nowMs: number;
}

/**
 * Judges recorded calls by the registry as it is, and as it would be, by the functions that decide.
 * What a call asked is what its record says: its route may be another one by now.
 *
 * @param mustGoOn asked before each piece; throws where nobody waits any more
 */
export async function replay(
  fold: TrailFold,
  compared: Compared,
  mustGoOn: () => void = () => {},
): Promise<ReplayResult> {
  const found = new Comparison(compared);
  const trails = [...fold.accounts.values()];
  for (let at = 0; at < trails.length; at += ACCOUNTS_AT_ONCE) {
    await turn();
    mustGoOn();
    const some = trails.slice(at, at + ACCOUNTS_AT_ONCE);
    const accounts = await reading(() =>
      Promise.all(some.map(async ({ id }) => (await compared.store.account(id)).account)),
    );
    for (const [index, trail] of some.entries()) found.take(trail, accounts[index]!);
  }
  return found.result;
}

class Comparison {
  readonly #compared: Compared;
  readonly #refuses = new Gathered();
  readonly #letsIn = new Gathered();
  #judged = 0;
  #otherwise = 0;
  #movedRoutes = 0;
  #notJudged = 0;
  #gone = 0;

  constructor(compared: Compared) {
    this.#compared = compared;
  }

  take(trail: AccountTrail, account: Account | null): void {
    const { changed } = this.#compared;
    this.#notJudged += trail.counted;
    if (account === null) {
      this.#gone += trail.groups.reduce((sum, { calls }) => sum + calls, 0);
      return;
    }
    const now = compilePrincipal(account);
    const then = changed.get(trail.id);
    const after = then === undefined ? now : then === null ? null : compilePrincipal(then);
    const isMoved = after !== null && isRestrictedAnew(account, after.account);
    for (const group of trail.groups)
      if (isMoved) this.#notJudged += group.calls;
      else this.#judge(trail, group, now, after);
  }

  #judge(trail: AccountTrail, group: CallGroup, now: Principal, after: Principal | null): void {
    const { routes, nowMs, ...policies } = this.#compared;
    const route = routes?.get(group.route ?? '') ?? null;
    const isAbout = isAboutRights(group, route);
    const before = isAbout ? rejudge(policies.before, now, group, route, nowMs) : null;
    const then = isAbout ? rejudge(policies.after, after, group, route, nowMs) : null;
    if (before === null || then === null) {
      this.#notJudged += group.calls;
      return;
    }
    this.#judged += group.calls;
    if (isLetIn(before) !== group.permitted) this.#otherwise += group.calls;
    if (routes !== null && isMovedRoute(group, route)) this.#movedRoutes += group.calls;
    if (isLetIn(before) === isLetIn(then)) return;
    const gathered = isLetIn(before) ? this.#refuses : this.#letsIn;
    gathered.add(trail, group, before, then);
  }

  get result(): ReplayResult {
    return {
      refuses: this.#refuses.part,
      letsIn: this.#letsIn.part,
      judged: this.#judged,
      otherwise: this.#otherwise,
      movedRoutes: this.#movedRoutes,
      notJudged: this.#notJudged,
      gone: this.#gone,
    };
  }
}

function isLetIn({ reason }: Rejudged): boolean {
  return reason === 'permitted';
}

function isRestrictedAnew(before: Account, after: Account): boolean {
  const restriction = ({ allowedNetworks, boundTo }: Account) =>
    JSON.stringify([allowedNetworks ?? null, boundTo ?? null]);
  return restriction(before) !== restriction(after);
}

/**
 * Permissions with variables are filled by each request: of these the form alone can be compared.
 */
function isMovedRoute({ route, permissions }: CallGroup, today: Route | null): boolean {
  // What the gate does by itself asks for none.
  if (route === null || permissions.length === 0) return false;
  if (today === null) return true;
  const { permission, permissionTemplate } = today;
  return permissionTemplate === null && permissions.join(' ') !== permission;
}

/** Groups of calls, of which those with the most are named. */
class Gathered {
  #calls = 0;
  readonly #accounts = new Set<string>();
  #items: ReplayItem[] = [];

  add(trail: AccountTrail, group: CallGroup, before: Rejudged, after: Rejudged): void {
    this.#calls += group.calls;
    this.#accounts.add(trail.id);
    const { permissions, applications, route, calls, first, last } = group;
    const samples = [...group.samples];
    const asked = { permissions, applications, route, calls, first, last, samples };
    this.#items.push({ account: trail.name, accountId: trail.id, ...asked, before, after });
    if (this.#items.length >= 2 * ITEMS_MAX) this.#shorten();
  }

  #shorten(): void {
    this.#items.sort((a, b) => b.calls - a.calls || (a.last < b.last ? 1 : -1));
    this.#items.length = Math.min(this.#items.length, ITEMS_MAX);
  }

  get part(): ReplayPart {
    this.#shorten();
    return { calls: this.#calls, accounts: this.#accounts.size, items: this.#items };
  }
}
