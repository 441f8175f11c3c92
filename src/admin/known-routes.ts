import type { Route } from '../decision/route.ts';
import { createRouteTable } from '../decision/route-table.ts';
import type { PublishedBy, PublishedReader } from '../published/port.ts';
import { type RoutesText, routesFrom } from '../published/text.ts';
import { StoreUnavailable } from '../store/fault.ts';
import type { AdminActor } from './actor.ts';
import type { AdminContext } from './context.ts';
import { AdminError } from './error.ts';

/** By whose routes a question was answered. */
export interface RoutesFrom {
  /** The instance that has published them; null: whoever answers has them of its own. */
  readonly instance: string | null;
  /** Since when they are in force there, and when it said so last; null: they are its own. */
  readonly since: string | null;
  readonly toldAt: string | null;
  /** How many instances have published other ones; 0 where they are its own. */
  readonly differing: number;
}

/** Routes that an instance has published. */
export interface RouteTableView {
  readonly instance: string;
  readonly routes: number;
  /** Instances with the same routes have the same one; null: too many to be published. */
  readonly table: string | null;
  readonly since: string;
  readonly toldAt: string;
}

export interface RouteTablesView {
  /** Whoever answers has routes of its own, and answers by them unless an instance is named. */
  readonly own: boolean;
  readonly items: readonly RouteTableView[];
}

/** What is needed of a context to know routes. */
export type RoutesContext = Pick<AdminContext, 'routes' | 'published' | 'instance'>;

export interface KnownRoutes {
  readonly routes: readonly Route[];
  readonly from: RoutesFrom;
}

const OWN: RoutesFrom = { instance: null, since: null, toldAt: null, differing: 0 };

/** Which routes can be asked about, whosever they are. */
export async function listRouteTables(
  context: RoutesContext,
  _actor: AdminActor,
  _input: object,
): Promise<RouteTablesView> {
  const { published = null } = context;
  const items = published === null ? [] : await reaching(() => published.list());
  return { own: ownRoutes(context) !== null, items: items.map(viewOf) };
}

function viewOf({ instance, routes, table, sinceMs, toldMs }: PublishedBy): RouteTableView {
  return { instance, routes, table, since: isoOf(sinceMs), toldAt: isoOf(toldMs) };
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}

/**
 * The routes by which a question is answered: those of the instance that it names; else one's own;
 * else those that came into force last among the published ones. Throws `AdminError`
 * (`not-found`, `unavailable`).
 */
export async function knownRoutes(
  context: RoutesContext,
  instance: string | undefined,
): Promise<KnownRoutes> {
  const own = ownRoutes(context);
  if (own !== null && (instance === undefined || instance === context.instance))
    return { routes: own, from: OWN };
  const { published = null } = context;
  const all = published === null ? [] : await reaching(() => published.list());
  const chosen = instance === undefined ? newest(all) : all.find((by) => by.instance === instance);
  if (published === null || chosen === undefined) throw nobodys(instance);
  const { table } = chosen;
  if (table === null)
    throw new AdminError(
      'not-found',
      `${chosen.instance} has ${chosen.routes} routes, which is more than is published: ask the gate itself, or name its configuration file with --routes`,
    );
  const { since, toldAt } = viewOf(chosen);
  const differing = all.filter((by) => by.table !== table).length;
  return {
    routes: await routesOf(published, chosen.instance, table),
    from: { instance: chosen.instance, since, toldAt, differing },
  };
}

function ownRoutes({ routes }: RoutesContext): readonly Route[] | null {
  const own = routes?.() ?? null;
  return own === null || own.length === 0 ? null : own;
}

function newest(all: readonly PublishedBy[]): PublishedBy | undefined {
  return [...all].sort((a, b) => b.sinceMs - a.sinceMs)[0];
}

function nobodys(instance: string | undefined): AdminError {
  return instance === undefined
    ? new AdminError(
        'not-found',
        'no routes are known here, and no gate that is running has published any: name the configuration file of the gate with --routes',
      )
    : new AdminError(
        'not-found',
        `instance ${instance} has published no routes: it has ended, is of an earlier version, or has none`,
      );
}

/** Tables that were read lately: a question does not unpack thousands of routes anew. */
const READ_MAX = 4;
const read = new Map<string, readonly Route[]>();

async function routesOf(
  published: PublishedReader,
  instance: string,
  table: string,
): Promise<readonly Route[]> {
  const known = read.get(table);
  if (known !== undefined) return known;
  const text = await reaching(() => published.text(table));
  if (text === null) throw unreadable(instance, 'they are there no more');
  const routes = await compiled({ digest: table, text }).catch((cause: unknown) => {
    throw unreadable(instance, cause instanceof Error ? cause.message : String(cause));
  });
  read.set(table, routes);
  const [oldest] = read.keys();
  if (read.size > READ_MAX) read.delete(oldest!);
  return routes;
}

/** Another version may hold for routes what this one cannot match by. */
async function compiled(text: RoutesText): Promise<readonly Route[]> {
  const routes = await routesFrom(text);
  createRouteTable(routes);
  return routes;
}

function unreadable(instance: string, why: string): AdminError {
  return new AdminError(
    'unavailable',
    `the routes that ${instance} has published cannot be read: ${why}`,
  );
}

async function reaching<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
    throw new AdminError('unavailable', `published routes cannot be read: ${error.message}`, {
      cause: error,
    });
  }
}
