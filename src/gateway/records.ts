import { type FoldedFacts, type FoldedType, foldedEvent } from '../audit/event/folded-event.ts';
import { FloodFold } from '../audit/floods/flood.ts';
import { type BatchingOutbox, createOutbox } from '../audit/outbox/outbox.ts';
import { PermitCloser } from '../audit/permits/closer.ts';
import type { AuditLog } from '../audit/port.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';

export interface RecordsParts {
  readonly store: AuditLog;
  readonly instance: string;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly nextRequestId: () => string;
  /** Refusals of one caller that are recorded one by one, before the rest is counted. */
  readonly foldRefusalsAfter: number;
  /** How long an instance may be silent and still live. */
  readonly leaseMs: number;
}

/** Where a gate's calls are recorded. */
export interface Records {
  readonly outbox: BatchingOutbox;
  /** Of the proxied APIs. */
  readonly floods: FloodFold;
  /** Of the administration. */
  readonly adminFloods: FloodFold;
  /** What the audit log said when it took no records; null while it takes them. */
  readonly problem: string | null;
  /**
   * Writes out what is queued, within `deadlineMs`. Answers how many events were left over: then
   * another instance will close what is open.
   */
  close(deadlineMs: number): Promise<number>;
}

export function openRecords(parts: RecordsParts): Records {
  const { store, instance, clock, metrics, log, nextRequestId, foldRefusalsAfter } = parts;
  let problem: string | null = null;
  const outbox = createOutbox({
    log: store,
    instance,
    clock,
    observer: {
      accepted: (count) => metrics.audit.count('accepted', count),
      lost: (count) => metrics.audit.count('lost', count),
      unrecorded: () => metrics.audit.count('unrecorded'),
      resent: (count) => metrics.audit.count('resent', count),
      health: (fault) => {
        problem = fault?.message ?? null;
        if (fault === null) log.info('the audit log takes records again');
        else log.error('the audit log takes no records', { error: fault });
      },
      fault: (error) => log.error('a call failed when its record was accepted', { error }),
    },
  });
  const hasRoom = () => !outbox.full;
  const floodsOf = (type: FoldedType) => {
    const write = (facts: FoldedFacts) =>
      outbox.record(
        (seq) => foldedEvent(type, instance, nextRequestId(), seq, clock.wallMs(), facts),
        facts.account?.id ?? null,
        null,
      );
    return new FloodFold({ clock, write, hasRoom, singles: foldRefusalsAfter });
  };
  const closer =
    store.permits === undefined
      ? null
      : new PermitCloser({
          ledger: store.permits,
          permits: outbox.permits,
          instance,
          clock,
          leaseMs: parts.leaseMs,
          closed: (gone, permits) => {
            metrics.audit.count('accepted', permits);
            log.warn('permits of an instance that ended without a word are closed', {
              gone,
              permits,
            });
          },
          onFault: (error) =>
            log.warn('permits that other instances left open cannot be looked for', { error }),
        });
  const floods = floodsOf('call');
  const adminFloods = floodsOf('admin-call');
  return {
    outbox,
    floods,
    adminFloods,
    get problem() {
      return problem;
    },
    async close(deadlineMs) {
      floods.close();
      adminFloods.close();
      const left = await outbox.close(deadlineMs);
      await closer?.close(left === 0 && outbox.permits.size === 0);
      return left;
    },
  };
}
