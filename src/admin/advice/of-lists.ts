import type { AdminActor } from '../actor.ts';
import type { AdminContext } from '../context.ts';
import { type AccountQuery, listAccounts } from '../list-accounts.ts';
import type { TrailFold } from '../trail/fold.ts';
import type { AccountView } from '../views.ts';
import { type Evidence, type Finding, NO_CALLS } from './finding.ts';
import { deactivated, onlyCommand } from './prepared.ts';

/** Accounts that are looked through for those that expire and call: the next to expire. */
const EXPIRING_MAX = 500;

export interface ListAdvice {
  readonly items: readonly Finding[];
  /** How many there are, named or not. */
  readonly total: number;
}

interface Asked {
  readonly context: AdminContext;
  readonly actor: AdminActor;
  readonly fold: TrailFold;
  /** That are named. */
  readonly most: number;
}

/** Accounts whose token was not let in for so long, whatever the record still holds. */
export async function dormant(asked: Asked, days: number): Promise<ListAdvice> {
  const query = { unusedForDays: days, sort: 'lastUsed', lastUsed: true } as const;
  return fromList(asked, query, (account, evidence) => {
    // It says when tokens were let in, which is written later than the record, and may be lost.
    if ((asked.fold.accounts.get(account.id)?.permitted ?? 0) > 0) return null;
    const { lastUsed = null } = account.token ?? {};
    const since = lastUsed === null ? 'was never let in' : `was last let in at ${lastUsed.at}`;
    const words = `The token of ${account.name} ${since}.`;
    return { kind: 'account-dormant', words, evidence, change: deactivated(account.name) };
  });
}

export async function oldTokens(asked: Asked, days: number): Promise<ListAdvice> {
  const query = { tokenOlderThanDays: days, sort: 'name' } as const;
  return fromList(asked, query, (account, evidence) => {
    const words = `The token of ${account.name} was issued at ${account.token?.createdAt ?? '-'}.`;
    const change = onlyCommand('account', 'rotate', account.name, '--overlap', '24h');
    return { kind: 'token-old', words, evidence, change };
  });
}

/** Accounts that expire soon, and are let in. */
export async function expiring(asked: Asked, days: number): Promise<ListAdvice> {
  const query = { expiringWithinDays: days, sort: 'expiresAt', limit: EXPIRING_MAX } as const;
  const found = await fromList({ ...asked, most: EXPIRING_MAX }, query, (account, evidence) => {
    if ((asked.fold.accounts.get(account.id)?.permitted ?? 0) === 0) return null;
    const words = `${account.name} expires at ${account.expiresAt}, and calls until then.`;
    const change = onlyCommand('account', 'edit', account.name, '--expires', '90d');
    return { kind: 'account-expiring', words, evidence, change };
  });
  return { items: found.items.slice(0, asked.most), total: found.items.length };
}

async function fromList(
  { context, actor, fold, most }: Asked,
  query: AccountQuery,
  made: (account: AccountView, evidence: Evidence) => Omit<Finding, 'target'> | null,
): Promise<ListAdvice> {
  const asked = { kind: 'service', status: 'active', limit: most, ...query } as const;
  const { items, total } = await listAccounts(context, actor, asked);
  const found = items.flatMap((account) => {
    // A bait is not let in, whatever its token.
    const one = account.honey ? null : made(account, evidenceOf(account, fold));
    const target = { kind: 'account', name: account.name } as const;
    return one === null ? [] : [{ ...one, target }];
  });
  return { items: found, total: total - (items.length - found.length) };
}

/** What the account was let in with and refused, in the record. */
function evidenceOf({ id }: AccountView, fold: TrailFold): Evidence {
  const trail = fold.accounts.get(id);
  if (trail === undefined) return { ...NO_CALLS, details: [] };
  const { calls, permitted, first, last, groups } = trail;
  const samples = groups.flatMap((group) => group.samples).slice(0, 3);
  const details = permitted === calls ? [] : [`${calls - permitted} of its calls were refused.`];
  return { calls, first, last, samples, details };
}
