import type { RequestHead } from '../http/request-head.ts';
import type { Route } from './route.ts';
import type { RouteTable } from './route-table.ts';
import type { Permit } from './verdict.ts';

/**
 * Whether a tunnel that was permitted goes on with the routes of another configuration: what it
 * asked for has the route of that name still, which takes the protocol, and whatever decides who
 * may is the same. Else its client is to ask again. Other calls go on in any case.
 *
 * @param asked null: nothing that a route could be found for
 */
export function keepsTunnel(
  { route, upgrade }: Pick<Permit, 'route' | 'upgrade'>,
  asked: Pick<RequestHead, 'host' | 'path' | 'method'> | null,
  table: Pick<RouteTable, 'match'>,
): boolean {
  if (upgrade === null) return true;
  // By the request and not by the name: a route that is more specific may have taken the path over.
  const found = asked === null ? null : table.match(asked.host, asked.path, asked.method);
  if (found?.kind !== 'route' || !found.route.upgrade.includes(upgrade)) return false;
  return found.route === route || decidedBy(found.route) === decidedBy(route);
}

function decidedBy(route: Route): string {
  const { name, host, path, access, action, application, permission } = route;
  return JSON.stringify([name, host, path, access, action, application, permission]);
}
