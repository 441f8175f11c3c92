import type { Route } from '../decision/route.ts';
import type { Reason } from '../refusal.ts';

/** What is measured of every call, once, when it ends. */
export interface CallMeasure {
  readonly route: Route | null;
  readonly method: string | null;
  /** 0 when nothing was answered. */
  readonly status: number;
  readonly reason: Reason;
  readonly durationMs: number;
  /**
   * Our part of it: from the head to the moment the request went upstream, and the time that the
   * answer then waited for the record.
   */
  readonly overheadMs: number;
  /** The upstream's part, until the first byte of its response; null when it gave none. */
  readonly upstreamMs: number | null;
  /** Content, in bytes. */
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** Name of the caller, once its token is proven. */
  readonly account: string | null;
  readonly accountId: string | null;
  /** What the call was about, where one application is. */
  readonly application: string | null;
}

export interface CallMeter {
  /** Each is followed by one end. */
  callBegan(): void;
  callEnded(measure: CallMeasure): void;
}
