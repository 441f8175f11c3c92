import * as z from 'zod';
import { Policy } from '../account/policy.ts';
import { compilePrincipal } from '../account/principal.ts';
import type { AuditReader } from '../audit/port.ts';
import { type Explanation, explain, type Question } from '../decision/explain.ts';
import type { RouteTable } from '../decision/route-table.ts';
import { plainAddress } from '../http/ip-address.ts';
import type { ServedRegistry } from '../registry/served.ts';
import { resolveAccountId } from './accounts.ts';
import { type ActivityQuery, type Followed, followActivity, readActivity } from './activity.ts';
import { type ActivityPage, type ActivityPageQuery, pageActivity } from './activity-page.ts';
import { type AdminActor, mustHave } from './actor.ts';
import { type Administration, createAdministration } from './administration.ts';
import { reading } from './change.ts';
import type { AdminContext, Nothing } from './context.ts';
import { AdminError, notFound } from './error.ts';
import { parsed } from './input.ts';
import { type InstancesView, listInstances } from './instances.ts';
import { createRegistryKeeper, type RegistryKeeper } from './registry-keeper.ts';
import { type AuditReindexing, createReindexing } from './reindexing.ts';
import { type CALL, EXPLAIN, WHO_CAN } from './schemas/questions.ts';
import { type AuditVerifications, createVerifications } from './verifications.ts';
import { type AnyonesCall, type WhoCanPage, whoCan } from './who-can.ts';

export interface CallQuestion {
  /** Name of the account. */
  readonly account: string;
  readonly method: string;
  /** Without query. */
  readonly path: string;
  /** With or without port; default `localhost`, which only matters where routes name hosts. */
  readonly host?: string;
  /** What stands in the body, where a route is decided by it: `app=CRM,app=HR,to=Production`. */
  readonly variables?: string;
  /** The client's address. */
  readonly from?: string;
}

/**
 * All that can be asked and done from outside the gate's own work: by the command line, and by
 * whoever serves it to others.
 */
export interface Control {
  readonly administration: Administration;
  activity(actor: AdminActor, query: ActivityQuery): Promise<readonly string[]>;
  /** The same by pages, newest first. */
  activityPage(actor: AdminActor, query: ActivityPageQuery): Promise<ActivityPage>;
  follow(actor: AdminActor, query: ActivityQuery, signal: AbortSignal): AsyncGenerator<Followed>;
  explain(actor: AdminActor, question: CallQuestion): Promise<Explanation>;
  /** A page of the accounts that would be let in. */
  whoCan(actor: AdminActor, call: AnyonesCall): Promise<WhoCanPage>;
  instances(actor: AdminActor, input: Nothing): Promise<InstancesView>;
  readonly verification: AuditVerifications;
  readonly reindexing: AuditReindexing;
  readonly registry: RegistryKeeper;
}

export interface ControlOptions extends AdminContext {
  readonly audit: AuditReader;
  readonly served: ServedRegistry;
  /**
   * The routes in force, asked at each question because they change with a reload; null = no
   * configuration is known.
   */
  readonly routes: () => RouteTable | null;
  /** Ends what is under way in the background. */
  readonly ending?: AbortSignal;
  /** Told of faults of what is under way in the background. */
  readonly onFault?: (fault: unknown) => void;
}

/** Owns nothing: who opened store and reader closes them. */
export function createControl(options: ControlOptions): Control {
  return {
    administration: createAdministration(options),
    activity: (actor, query) => readActivity(options, actor, query),
    activityPage: (actor, query) => pageActivity(options, actor, query),
    follow: (actor, query, signal) => followActivity(options, actor, query, signal),
    explain: (actor, question) => explainCall(options, actor, question),
    whoCan: (actor, call) => askWhoCan(options, actor, call),
    instances: (actor) => listInstances(options, actor),
    verification: createVerifications({ ...options, record: options.audit.record }),
    reindexing: createReindexing(options),
    registry: createRegistryKeeper(options),
  };
}

/**
 * Would this account be let in? Answered by the functions that decide, on the registry as the store
 * has it now.
 */
async function explainCall(
  options: ControlOptions,
  actor: AdminActor,
  question: CallQuestion,
): Promise<Explanation> {
  mustHave(actor, 'sallyport:registry:read');
  const { account: name, ...asked } = parsed(QUESTION, question);
  const call = callOf(asked);
  const table = knownRoutes(options);
  const { account, roles, teams } = await reading(async () => {
    const id = await resolveAccountId(options.store, { name });
    return { ...(await options.store.account(id)), ...(await options.store.snapshot()) };
  });
  if (account === null) throw notFound('account', name);
  const context = { table, policy: Policy.of(roles, teams), clock: options.clock };
  return explain(context, { account: compilePrincipal(account), ...call });
}

async function askWhoCan(
  options: ControlOptions,
  actor: AdminActor,
  question: AnyonesCall,
): Promise<WhoCanPage> {
  mustHave(actor, 'sallyport:registry:read');
  const { cursor = null, ...asked } = parsed(ANYBODYS, question);
  const { store, clock } = options;
  return whoCan({ store, clock, table: knownRoutes(options) }, callOf(asked), cursor);
}

const QUESTION = z.strictObject(EXPLAIN);
const ANYBODYS = z.strictObject(WHO_CAN);

type AskedCall = z.output<z.ZodObject<typeof CALL>>;

function callOf({ method, path, host, variables, from }: AskedCall): Omit<Question, 'account'> {
  return {
    ...{ method, path, host: host ?? 'localhost' },
    variables: variables === undefined ? [] : variablesIn(variables),
    from: from === undefined ? null : plainAddress(from),
  };
}

function knownRoutes(options: ControlOptions): RouteTable {
  const table = options.routes();
  if (table === null)
    throw new AdminError(
      'not-found',
      'no routes are known here: name the configuration file of the gate with --routes',
    );
  return table;
}

function variablesIn(text: string): { name: string; value: string }[] {
  return text.split(',').map((pair) => {
    const [name = '', ...value] = pair.split('=');
    return { name, value: value.join('=') };
  });
}
