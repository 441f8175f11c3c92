import type { Position } from './position.ts';

/** An instance that may answer from its cache: it was not released and not forgotten. */
export interface Member {
  readonly instance: string;
  readonly leaseMs: number;
}

export interface InstanceProgress {
  readonly instance: string;
  /**
   * False: it has said goodbye or was forgotten, so it answers nothing until it has caught up. No
   * clock of the store decides this.
   */
  readonly registered: boolean;
  /**
   * Names its last renewal; opaque, another one with every renewal. Null: the store does not know
   * of any.
   */
  readonly renewal: string | null;
  /** What it has applied and acted on; null when it has not said. */
  readonly applied: Position | null;
}

export interface InstanceStatus extends InstanceProgress {
  readonly leaseMs: number;
  /**
   * Until its lease ends on the store's clock, if it is not renewed; 0: it has. To be shown, not to
   * be relied on.
   */
  readonly leaseRemainingMs: number;
  readonly version: string;
  /** The highest schema of a record that it can read. */
  readonly schema: number;
}

/**
 * Whether two stores could take changes and renew leases at once, and what that adds to the time
 * until a revocation is certain.
 */
export interface Assurance {
  readonly assurance: 'proven' | 'topology-dependent';
  readonly marginMs: number;
}
