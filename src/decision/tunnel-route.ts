import type { Route } from './route.ts';

/**
 * Whether a tunnel that was permitted by a route goes on with the route of that name in another
 * configuration: it still takes the protocol, and whatever decides who may is the same. Else its
 * client is to ask again.
 *
 * @param after undefined: there is none of that name any more
 */
export function keepsTunnel(before: Route, after: Route | undefined, protocol: string): boolean {
  if (after === undefined || !after.upgrade.includes(protocol)) return false;
  return after.methods.includes('GET') && decidedBy(after) === decidedBy(before);
}

function decidedBy({ host, path, access, action, application, permission }: Route): string {
  return JSON.stringify([host, path, access, action, application, permission]);
}
