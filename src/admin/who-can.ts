import { Policy } from '../account/policy.ts';
import { compilePrincipal } from '../account/principal.ts';
import { type Explanation, explain } from '../decision/explain.ts';
import { createRouteTable } from '../decision/route-table.ts';
import type { AdminActor } from './actor.ts';
import { reading } from './change.ts';
import type { AdminContext } from './context.ts';
import { AdminError } from './error.ts';
import { type AskedCall, questionOf } from './explain-call.ts';
import { knownRoutes, type RoutesFrom } from './known-routes.ts';
import type { AccountView } from './views.ts';

/** A page of who may make a call. */
export interface AnyonesCall extends AskedCall {
  /** Where the last page ended. */
  readonly cursor?: string;
}

/** An account that would be let in, and by which rule. */
export type WhoCan = Pick<
  Explanation,
  'permission' | 'application' | 'applications' | 'role' | 'rule' | 'team'
> & { readonly account: string } & Pick<AccountView, 'allowedNetworks' | 'boundTo'>;

export interface WhoCanPage {
  readonly items: readonly WhoCan[];
  /** Accounts that were asked about. */
  readonly examined: number;
  /** Ids of accounts that cannot be read. */
  readonly damaged: readonly string[];
  readonly next: string | null;
  readonly routes: RoutesFrom;
}

/** Accounts that are asked about in one answer: it bounds the work, however many there are. */
const EXAMINED_MAX = 200;

const ABOUT_THE_CALL: ReadonlySet<Explanation['reason']> = new Set([
  'target-ambiguous',
  'route-unknown',
  'method-refused',
  'method-unknown',
  'body-refused',
]);

/** Answered by the functions that decide, account by account, as if each showed its live token. */
export async function whoCan(
  context: AdminContext,
  _actor: AdminActor,
  { cursor, ...call }: AnyonesCall,
): Promise<WhoCanPage> {
  const { store, clock } = context;
  const { routes, from } = await knownRoutes(context, call.instance);
  const { page, roles, teams } = await reading(async () => ({
    ...(await store.snapshot()),
    page: await store.accounts({ cursor: cursor ?? null, limit: EXAMINED_MAX }),
  }));
  const by = { table: createRouteTable(routes), policy: Policy.of(roles, teams), clock };
  const asked = questionOf(call);
  const items = page.items.flatMap((account): readonly WhoCan[] => {
    const answer = explain(by, { ...asked, account: compilePrincipal(account) });
    // The same for everybody: nobody's rights are in question.
    if (ABOUT_THE_CALL.has(answer.reason))
      throw new AdminError('invalid', answer.because.join(' '));
    if (!answer.allowed) return [];
    const { permission, application, applications, role, rule, team } = answer;
    const { name, allowedNetworks = [], boundTo = null } = account;
    const rights = { permission, application, applications, role, rule, team };
    return [{ account: name, ...rights, allowedNetworks, boundTo }];
  });
  const { damaged, next } = page;
  return { items, examined: page.items.length, damaged, next, routes: from };
}
