import type { HandedSecret } from '../config/handover.ts';
import type { Config } from '../config/schema.ts';
import type { Readiness } from '../ops/readiness.ts';
import type { MetricPiece } from '../telemetry/text.ts';
import type { TicketKeys } from '../tls/ticket-keys.ts';

/** What all workers listen on. Null: no listener. */
export interface SharedPorts {
  readonly proxy: number | null;
  readonly decision: number | null;
}

/**
 * What a supervisor says to its workers. They are the same program on the same machine, started by
 * it: nothing here comes from outside.
 */
export type ToWorker =
  | {
      readonly kind: 'start';
      /**
       * The configuration, as its file read when it was last good: a worker that is started again
       * must not depend on a file that is being edited.
       */
      readonly text: string;
      /** Where it stands, for the relative paths in it. */
      readonly file: string;
      /** Instead of the ports in it, which may be 0. */
      readonly ports: SharedPorts;
      readonly ticketKeys: TicketKeys;
      /** Whether it opens the admin listener: one of them does. */
      readonly admin: boolean;
    }
  /** The configuration, read already, and its secrets beside it: reading would hold up calls. */
  | {
      readonly kind: 'reload';
      readonly id: number;
      readonly config: Config;
      readonly secrets: readonly HandedSecret[];
    }
  | { readonly kind: 'reload-refused'; readonly why: string }
  | { readonly kind: 'metrics'; readonly id: number }
  | { readonly kind: 'reopen-logs' }
  | { readonly kind: 'ticket-keys'; readonly keys: TicketKeys }
  | { readonly kind: 'drain'; readonly lameDuck: boolean };

export type FromWorker =
  | { readonly kind: 'opened'; readonly instance: string }
  | { readonly kind: 'failed'; readonly why: string }
  /** Some of the metrics that were asked for; a `response` says that there are no more. */
  | { readonly kind: 'metrics'; readonly id: number; readonly piece: MetricPiece }
  | { readonly kind: 'response'; readonly id: number }
  | { readonly kind: 'refused'; readonly id: number; readonly why: string }
  /** Sent at an interval, and so also a sign of life. */
  | { readonly kind: 'status'; readonly readiness: Readiness };

/** Between two signs of life. */
export const STATUS_INTERVAL_MS = 500;
