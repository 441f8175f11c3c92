import type { Route } from '../../decision/route.ts';
import { AdminError } from '../error.ts';
import { knownRoutes, type RoutesContext } from '../known-routes.ts';

/**
 * Routes by their names: one's own, else what a gate has published; null: none are known, or none
 * can be read now. Records are judged without them as well.
 */
export async function routesByName(
  context: RoutesContext,
): Promise<ReadonlyMap<string, Route> | null> {
  try {
    const { routes } = await knownRoutes(context, undefined);
    return new Map(routes.map((route) => [route.name, route]));
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
    return null;
  }
}
