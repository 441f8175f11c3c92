import type { Account, Role, Team } from '../account/model.ts';
import { AdminError } from './error.ts';
import type { LeaveNone } from './last-administrator.ts';

/** Which role or team, and how a change to it goes about. */
export interface NamedRef extends LeaveNone {
  readonly name: string;
  /** As in `AccountRef`. */
  readonly waitMs?: number;
  readonly version?: number;
}

/** Throws `stale` when the actor has seen another version of the record than there is. */
export function mustBeAt(seen: number | null, record: Account | Role | Team, what: string): void {
  if (seen === null || record.version === seen) return;
  throw new AdminError(
    'stale',
    `the ${what} ${record.name} has been changed since: you saw version ${seen}, it is at ${record.version}`,
  );
}
