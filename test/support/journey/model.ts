import type { Account } from '../../../src/account/model.ts';
import { isListed, type ListQuery, UNFILTERED } from '../../../src/registry/listing/query.ts';
import { account } from '../../contract/registry-records.ts';

/**
 * A large registry that can be told without a store: the n-th account is always the same, so every
 * total that a door tells can be computed anew.
 */

export const JOURNEY = { roles: 20, teams: 50, routes: 20, protectedRole: 'guarded' } as const;

const DAY_MS = 86_400_000;
const HALF_MS = DAY_MS / 2;
const WORDS = ['billing', 'crm', 'ci', 'monitor', 'nightly', 'Portal'] as const;
/** Moments are told from here: none comes within half a day of the end of a filter. */
const BEGAN_MS = Date.now();

export function journeyAccount(n: number): Account {
  const at = (days: number) => new Date(BEGAN_MS - days * DAY_MS - HALF_MS).toISOString();
  const isUser = n % 50 === 49;
  const digest = (n * 2_654_435_761).toString(16).padStart(64, 'd');
  return account(n, {
    kind: isUser ? 'user' : 'service',
    name: `${WORDS[n % WORDS.length]}-${n}`,
    description: n % 10 === 0 ? 'Belongs to the nightly build' : '',
    status: n % 20 === 0 ? 'inactive' : 'active',
    role: `role-${n % JOURNEY.roles}`,
    teams: [{ team: `team-${n % JOURNEY.teams}`, role: `role-${(n + 1) % JOURNEY.roles}` }],
    createdAt: at(400 - (n % 390)),
    updatedAt: at(n % 300),
    expiresAt: n % 2 === 0 ? at((n % 500) - 400) : null,
    token: isUser ? null : { digest, createdAt: at(n % 200) },
  });
}

export type Narrowing = Partial<Omit<ListQuery, 'nowMs'>>;

/** How many of the accounts each of these lists holds. */
export function totalsOf(
  size: number,
  lists: Readonly<Record<string, Narrowing>>,
): ReadonlyMap<string, number> {
  const totals = new Map(Object.keys(lists).map((name) => [name, 0]));
  const queries = Object.entries(lists).map(([name, narrowing]): readonly [string, ListQuery] => [
    name,
    { kind: 'service', ...UNFILTERED, ...narrowing, nowMs: BEGAN_MS, limit: 100 },
  ]);
  for (let n = 0; n < size; n += 1) {
    const one = { account: journeyAccount(n), uses: [] };
    for (const [name, query] of queries)
      if (isListed(one, query)) totals.set(name, (totals.get(name) ?? 0) + 1);
  }
  return totals;
}

/** In `days` days from now. */
export function inDays(days: number): number {
  return BEGAN_MS + days * DAY_MS;
}
