import { seededRoles } from '../account/role.ts';
import type { Clock } from '../clock.ts';

/** The roles that every new registry begins with. */
export function newRoles(clock: Clock) {
  return seededRoles(new Date(clock.wallMs()).toISOString());
}
