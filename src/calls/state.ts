import type { RefusalReason } from '../refusal.ts';
import type { UpstreamFailure } from '../upstream/port.ts';

/** Where a call stands; drawn in call.ts. */
export type CallState =
  /** No verdict yet. */
  | 'deciding'
  /** The body decides, and is being read. */
  | 'collecting'
  /** The verdict is being recorded, or is on record; nothing goes anywhere. */
  | 'recording'
  /** Permitted; the first bytes of its body are waited for. */
  | 'awaiting-body'
  /** The token of the caller is being exchanged. */
  | 'renewing'
  /** An upstream has the request. */
  | 'forwarding'
  /** The door has the head of the upstream's response; the client has seen nothing of it. */
  | 'responding'
  /** The client has seen some of it. */
  | 'begun'
  | 'ended';

/** Reasons for which a response reaches nobody: the client left, or the gate closed before it. */
export type Gone = 'client-aborted' | 'draining';

/** What a caller is told when its upstream fails. */
export const UPSTREAM_REASONS = {
  unreachable: 'upstream-unreachable',
  exhausted: 'overloaded',
  broken: 'upstream-broken',
  timeout: 'upstream-timeout',
} as const satisfies Record<UpstreamFailure['kind'], RefusalReason>;
