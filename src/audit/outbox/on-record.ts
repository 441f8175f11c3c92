import { AuditUnavailable, type Outbox } from '../port.ts';

/**
 * Records an event that is rare. Resolves once it is accepted. Throws `AuditUnavailable` when that
 * is not certain: it may be recorded later, or never.
 */
export function onRecord(outbox: Outbox, make: (seq: number) => string): Promise<void> {
  return new Promise((resolve, reject) => {
    const notAccepted = () => reject(new AuditUnavailable('the event was not accepted in time'));
    outbox.record(make, null, { accepted: resolve, notAccepted });
  });
}
