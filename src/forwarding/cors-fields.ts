import { onlyValue } from '../decision/preflight.ts';
import type { CorsRule, Route } from '../decision/route.ts';
import type { RequestHead } from '../http/request-head.ts';

/**
 * The gate's word to browsers, in field lines, each with its CRLF. All of it is the
 * configuration's: of the request it is only compared with.
 */

/** For every answer of a route with `cors`, refusals included; caches keep answers apart by it. */
export function corsFields(cors: CorsRule, head: RequestHead): string {
  const origin = allowedOrigin(cors, head);
  return origin === null
    ? 'Vary: Origin\r\n'
    : `Access-Control-Allow-Origin: ${origin}\r\nVary: Origin\r\n`;
}

/** The answer to a preflight about a call with this method. */
export function preflightFields(route: Route, head: RequestHead, method: string): string {
  const cors = route.cors;
  const origin = cors === null ? null : allowedOrigin(cors, head);
  if (cors === null || origin === null)
    throw new Error(`route ${route.name} does not answer this preflight`);
  const own = route.access === 'public' ? [] : ['Authorization'];
  const headers = [...own, ...cors.headers.filter((name) => !isAuthorization(name))];
  return (
    `Access-Control-Allow-Origin: ${origin}\r\nAccess-Control-Allow-Methods: ${method}\r\n` +
    (headers.length === 0 ? '' : `Access-Control-Allow-Headers: ${headers.join(', ')}\r\n`) +
    `Access-Control-Max-Age: ${cors.maxAgeSeconds}\r\n` +
    'Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers\r\n'
  );
}

const isAuthorization = (name: string) => name.toLowerCase() === 'authorization';

function allowedOrigin(cors: CorsRule, head: RequestHead): string | null {
  const origin = onlyValue(head, 'origin');
  return origin === null ? null : (cors.origins.find((one) => one === origin) ?? null);
}
