import type { EventOf } from './audit-event.ts';
import { eventJson } from './write.ts';

/** What an event says of the approval of its change. */
export type Approval = Readonly<NonNullable<EventOf<'change'>['approval']>>;

/** A `change` event that was written before it was known by which approval it is made. */
export function withApproval(event: string, approval: Approval): string {
  return eventJson({ ...(JSON.parse(event) as EventOf<'change'>), approval });
}
