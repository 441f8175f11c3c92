import type { Clock } from '../../clock.ts';
import type { AcceptanceWaiter, AuditLog } from '../port.ts';

/** What happened to events; for metrics. Must not throw. */
export interface OutboxObserver {
  /** Events that the log accepted, and how long after their last sending. */
  accepted(count: number, tookMs: number): void;
  /** Events that no log will ever hold: no room, or left over at the end. */
  lost(count: number): void;
  /** An event that somebody waited for found no room: what it stands for is refused. */
  unrecorded(): void;
  /** Events that were sent again after a failed append. */
  resent(count: number): void;
  /** The log went away (with the reason) or came back (null). Called on the change only. */
  health(problem: Error | null): void;
  /** A waiter threw: a fault of the program, kept from those who wait behind it. */
  fault(error: unknown): void;
}

export interface OutboxOptions {
  readonly log: AuditLog;
  /** Name + random incarnation: sequence numbers are consecutive within it. */
  readonly instance: string;
  readonly clock: Clock;
  readonly observer: OutboxObserver;
  /** What the first event carries of the chain; absent: none carries any. */
  readonly chain?: string;
  readonly limits?: Partial<OutboxLimits>;
  /**
   * Whether the log is asked at once, with an empty batch, if it takes records: `healthy` then
   * means something before the first call. Default true.
   */
  readonly probe?: boolean;
}

export interface OutboxLimits {
  /**
   * Events held, in flight included; the next one finds no room, unless it is an end
   * (`Outbox.recordEnd`): of those there may be one more for each event held and each open call.
   */
  readonly maxEvents: number;
  /** Bytes of events held, likewise. The buffers that they are in may be twice as large. */
  readonly maxBytes: number;
  /** A batch that has so many takes no more; at most 65,535 (lines.ts). */
  readonly batchEvents: number;
  readonly batchBytes: number;
  /**
   * How long a waiter waits. Also: how long an outage may last before new waiters are told at once.
   */
  readonly deadlineMs: number;
  /** How long an event that nobody waits for may lie before it is sent. */
  readonly lingerMs: number;
  /** How far apart two appends begin while so many waiters a second come as `apartFrom`. */
  readonly apartMs: number;
  readonly apartFrom: number;
  /** Pause before the first resend; doubles up to `maxBackoffMs`. */
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
}

export const OUTBOX_LIMITS: OutboxLimits = {
  maxEvents: 20_000,
  maxBytes: 32 * 1024 * 1024,
  batchEvents: 1000,
  batchBytes: 1024 * 1024,
  deadlineMs: 1000,
  lingerMs: 20,
  apartMs: 1,
  apartFrom: 2500,
  minBackoffMs: 25,
  maxBackoffMs: 250,
};

/** Somebody who waits for an event on its way; `waiter` becomes null once it has been told. */
export interface Pending {
  waiter: AcceptanceWaiter | null;
  readonly deadlineMs: number;
}
