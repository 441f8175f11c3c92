import type { Fields } from './fields.ts';
import type { BodyFraming } from './request-head.ts';
import type { Upgrade } from './upgrade.ts';

/** The head of a request to an upstream: `Host`, framing and connection stand beside its fields. */
export interface OutgoingRequest {
  readonly method: string;
  /** Origin-form, or `*`. */
  readonly target: string;
  /** `Host`, or `:authority`. */
  readonly host: string;
  readonly fields: Fields;
  readonly framing: BodyFraming;
  /** Another protocol on the connection that it is sent on; null = none is asked for. */
  readonly upgrade: Upgrade | null;
  /**
   * Its connection serves no request after it: an upstream that does not look for this body would
   * read it as one.
   */
  readonly isLast: boolean;
  /** Whoever asks takes fields behind the content of the response: `TE: trailers`. */
  readonly takesTrailers: boolean;
}

/** A whole response of the gate's own. All of it is ours: nothing is repeated from a request. */
export interface OwnResponse {
  readonly status: number;
  readonly fields: Fields;
  readonly body: string;
  /** Nothing more can be read from this connection. */
  readonly closes: boolean;
  /** What it says, for protocols that say it in another form; absent: it is no refusal. */
  readonly refused?: Refused;
}

/** A refusal in words; all of them are fixed. */
export interface Refused {
  /** As its caller may know it. */
  readonly reason: string;
  readonly title: string;
  readonly detail: string | null;
}
