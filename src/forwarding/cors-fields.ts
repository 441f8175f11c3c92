import { onlyValue } from '../decision/preflight.ts';
import type { CorsRule, Route } from '../decision/route.ts';
import type { RouteTable } from '../decision/route-table.ts';
import { Fields } from '../http/fields.ts';
import type { RequestHead } from '../http/request-head.ts';

/**
 * The gate's word to browsers. All of it is the configuration's: of the request it is only compared
 * with.
 */

/** For every response of a route with `cors`, refusals included; caches keep them apart by it. */
export function addCors(fields: Fields, cors: CorsRule, head: RequestHead): void {
  const origin = allowedOrigin(cors, head);
  if (origin !== null) fields.add('Access-Control-Allow-Origin', origin);
  fields.add('Vary', 'Origin');
}

/**
 * What a response of the gate's own tells the browser that it comes to, so that the page may read
 * it.
 *
 * @param route null: the response came before the match
 */
export function addCorsOf(
  fields: Fields,
  route: Route | null,
  head: RequestHead,
  table: RouteTable,
): void {
  if (route !== null) {
    if (route.cors !== null) addCors(fields, route.cors, head);
    return;
  }
  if (!table.answersPreflights) return;
  const match = table.match(head.host, head.path, head.method);
  if (match.kind === 'route' && match.route.cors !== null) addCors(fields, match.route.cors, head);
}

/** The response to a preflight about a call with this method. */
export function preflightFields(route: Route, head: RequestHead, method: string): Fields {
  const cors = route.cors;
  const origin = cors === null ? null : allowedOrigin(cors, head);
  if (cors === null || origin === null)
    throw new Error(`route ${route.name} does not answer this preflight`);
  const own = route.access === 'public' ? [] : ['Authorization'];
  const headers = [...own, ...cors.headers.filter((name) => !isAuthorization(name))];
  const fields = new Fields()
    .add('Access-Control-Allow-Origin', origin)
    .add('Access-Control-Allow-Methods', method);
  if (headers.length > 0) fields.add('Access-Control-Allow-Headers', headers.join(', '));
  return fields
    .add('Access-Control-Max-Age', String(cors.maxAgeSeconds))
    .add('Vary', 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers');
}

const isAuthorization = (name: string) => name.toLowerCase() === 'authorization';

function allowedOrigin(cors: CorsRule, head: RequestHead): string | null {
  const origin = onlyValue(head, 'origin');
  return origin === null ? null : (cors.origins.find((one) => one === origin) ?? null);
}
