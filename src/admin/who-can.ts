import { Policy } from '../account/policy.ts';
import { compilePrincipal } from '../account/principal.ts';
import type { Clock } from '../clock.ts';
import { type Explanation, explain, type Question } from '../decision/explain.ts';
import type { RouteTable } from '../decision/route-table.ts';
import type { RegistryStore } from '../registry/port.ts';
import { reading } from './change.ts';
import { AdminError } from './error.ts';
import type { AccountView } from './views.ts';

/** A call, whoever makes it. */
export interface AnyonesCall {
  readonly method: string;
  /** Without query. */
  readonly path: string;
  /** With or without port; default `localhost`. */
  readonly host?: string;
  /** What stands in the body, where a route is decided by it: `app=CRM,to=Production`. */
  readonly variables?: string;
  /** The client's address. */
  readonly from?: string;
  /** Where the last page ended. */
  readonly cursor?: string;
}

/** An account that would be let in, and by which rule. */
export type WhoCan = Pick<
  Explanation,
  'permission' | 'application' | 'applications' | 'role' | 'rule'
> & { readonly account: string } & Pick<AccountView, 'allowedNetworks' | 'boundTo'>;

export interface WhoCanPage {
  readonly items: readonly WhoCan[];
  /** Accounts that were asked about. */
  readonly examined: number;
  /** Ids of accounts that cannot be read. */
  readonly damaged: readonly string[];
  readonly next: string | null;
}

/** Accounts that are asked about in one answer: it bounds the work, however many there are. */
const EXAMINED_MAX = 200;

const ABOUT_THE_CALL: ReadonlySet<Explanation['reason']> = new Set([
  'target-ambiguous',
  'route-unknown',
  'method-refused',
  'body-refused',
]);

/** Answered by the functions that decide, account by account, as if each showed its live token. */
export async function whoCan(
  context: { readonly store: RegistryStore; readonly table: RouteTable; readonly clock: Clock },
  call: Omit<Question, 'account'>,
  cursor: string | null,
): Promise<WhoCanPage> {
  const { store, table, clock } = context;
  const { page, roles, teams } = await reading(async () => ({
    ...(await store.snapshot()),
    page: await store.accounts({ cursor, limit: EXAMINED_MAX }),
  }));
  const policy = Policy.of(roles, teams);
  const items = page.items.flatMap((account): readonly WhoCan[] => {
    const question = { ...call, account: compilePrincipal(account) };
    const answer = explain({ table, policy, clock }, question);
    // The same for everybody: nobody's rights are in question.
    if (ABOUT_THE_CALL.has(answer.reason))
      throw new AdminError('invalid', answer.because.join(' '));
    if (!answer.allowed) return [];
    const { permission, application, applications, role, rule } = answer;
    const { name, allowedNetworks = [], boundTo = null } = account;
    const by = { permission, application, applications, role, rule };
    return [{ account: name, ...by, allowedNetworks, boundTo }];
  });
  return { items, examined: page.items.length, damaged: page.damaged, next: page.next };
}
