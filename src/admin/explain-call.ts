import { Policy } from '../account/policy.ts';
import { compilePrincipal } from '../account/principal.ts';
import { type Explanation, explain, type Question } from '../decision/explain.ts';
import { createRouteTable } from '../decision/route-table.ts';
import { plainAddress } from '../http/ip-address.ts';
import { resolveAccountId } from './accounts.ts';
import type { AdminActor } from './actor.ts';
import { reading } from './change.ts';
import type { AdminContext } from './context.ts';
import { notFound } from './error.ts';
import { knownRoutes, type RoutesFrom } from './known-routes.ts';

/** A call, whoever makes it. */
export interface AskedCall {
  readonly method: string;
  /** Without query. */
  readonly path: string;
  /** With or without port; default `localhost`, which only matters where routes name hosts. */
  readonly host?: string;
  /** What stands in the body, where a route is decided by it: `app=CRM,app=HR,to=Production`. */
  readonly variables?: string;
  /** The client's address. */
  readonly from?: string;
  /** By whose published routes; absent: by those that are at hand. */
  readonly instance?: string;
}

export interface CallQuestion extends AskedCall {
  /** Name of the account. */
  readonly account: string;
}

export interface ExplainedCall extends Explanation {
  readonly routes: RoutesFrom;
}

/**
 * Would this account be let in? Answered by the functions that decide, on the registry as the store
 * has it now.
 */
export async function explainCall(
  context: AdminContext,
  _actor: AdminActor,
  { account: name, ...call }: CallQuestion,
): Promise<ExplainedCall> {
  const { routes, from } = await knownRoutes(context, call.instance);
  const { account, roles, teams } = await reading(async () => {
    const id = await resolveAccountId(context.store, { name });
    return { ...(await context.store.account(id)), ...(await context.store.snapshot()) };
  });
  if (account === null) throw notFound('account', name);
  const by = {
    table: createRouteTable(routes),
    policy: Policy.of(roles, teams),
    clock: context.clock,
  };
  const question = { account: compilePrincipal(account), ...questionOf(call) };
  return { ...explain(by, question), routes: from };
}

/** The same as `explain` takes it. */
export function questionOf(call: AskedCall): Omit<Question, 'account'> {
  const { method, path, host = 'localhost', variables, from } = call;
  return {
    ...{ method, path, host },
    variables: variables === undefined ? [] : variablesIn(variables),
    from: from === undefined ? null : plainAddress(from),
  };
}

function variablesIn(text: string): { name: string; value: string }[] {
  return text.split(',').map((pair) => {
    const [name = '', ...value] = pair.split('=');
    return { name, value: value.join('=') };
  });
}
