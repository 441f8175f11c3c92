import type { Assertions } from '../assertion/assertions.ts';
import type { CallEvents } from '../audit/event/call-event.ts';
import type { FloodFold } from '../audit/floods/flood.ts';
import type { HoneyTokens } from '../audit/notices/honey-tokens.ts';
import type { Outbox } from '../audit/port.ts';
import type { Clock } from '../clock.ts';
import type { Decider } from '../decision/decide.ts';
import type { Permit, Verdict } from '../decision/verdict.ts';
import type { Upstream } from '../forwarding/upstream.ts';
import type { TrustedProxies } from '../http/client-address.ts';
import type { Fields } from '../http/fields.ts';
import type { OwnResponse } from '../http/outgoing.ts';
import type { Peer } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { NewTraces } from '../http/trace.ts';
import type { BodyBudget } from '../limits/body-budget.ts';
import type { TunnelPlaces } from '../limits/tunnels.ts';
import type { RefusalReason } from '../refusal.ts';
import type { AccessLog } from '../telemetry/access/log.ts';
import type { Log } from '../telemetry/log.ts';
import type { Tracer } from '../telemetry/traces/tracer.ts';
import type { LastUses } from './last-uses.ts';
import type { CallMeter } from './meter.ts';
import type { OpenCalls } from './open-calls.ts';
import type { ResponseFormat } from './own-response.ts';
import type { RenewToken } from './renewal.ts';

/**
 * What every call needs; one object for all of them. Replaced as a whole when the configuration
 * changes.
 */
export interface CallServices {
  /** Stands in the record where it is not the door of the proxied APIs. */
  readonly door: 'decision' | null;
  readonly decider: Pick<Decider, 'decide' | 'table'>;
  readonly outbox: Outbox;
  readonly events: CallEvents;
  /** Counts refusals that come too thick to be recorded one by one. */
  readonly floods: Pick<FloodFold, 'folds'>;
  /** Tells of honey tokens that are presented. */
  readonly honey: Pick<HoneyTokens, 'presented'>;
  readonly meter: CallMeter;
  readonly openCalls: Pick<OpenCalls, 'add' | 'remove' | 'stands' | 'covered'>;
  readonly uses: Pick<LastUses, 'note'>;
  readonly upstreams: ReadonlyMap<string, Upstream>;
  /** Tells upstreams who calls, signed; null: none wants it. */
  readonly assertions: Assertions | null;
  /** Exchanges tokens where a route says so; null: this process may not write the registry. */
  readonly renewToken: RenewToken | null;
  /** What the record says of a client's address; null = nothing. */
  readonly recordedAddress: (address: string) => string | null;
  /** Lower-cased names of the request fields that decisions hold; null: none. */
  readonly recordedHeaders: ReadonlySet<string> | null;
  readonly guarantee: 'acknowledged' | 'buffered';
  readonly bodyBytes: number;
  /** The memory of bodies by which is decided. */
  readonly heldBodies: BodyBudget;
  /** What accounts may have of tunnels at the same time. */
  readonly tunnels: TunnelPlaces;
  readonly trustedProxies: TrustedProxies;
  /** Has a line for each call; null: there is none. */
  readonly accessLog: Pick<AccessLog, 'write'> | null;
  /** Callers that are known are told how long the gate and the upstream took. */
  readonly serverTiming: boolean;
  /** What a call without a trace gets. */
  readonly traces: NewTraces;
  /** Chooses the calls of which spans are made; null: of none. */
  readonly tracer: Tracer | null;
  readonly format: ResponseFormat;
  /** Name of this gate in `Via`; empty: it does not stand there. */
  readonly via: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Nothing was left here for a connection to an upstream; `code` is the system's. */
  readonly exhausted: (code: string) => void;
  readonly nextRequestId: () => string;
}

/** How a verdict is told to whoever asks for nothing else. */
export interface VerdictWords {
  /** @param assertion tells who calls, signed; null: the upstream wants none */
  permitted(permit: Permit, requestId: string, assertion: string | null): OwnResponse;
  /** @param reason another one than was decided where something else came in between */
  refused(
    verdict: Verdict,
    reason: RefusalReason,
    requestId: string,
    format: ResponseFormat,
  ): OwnResponse;
}

/**
 * The client's end of one call: what a door offers, whatever its protocol. Nothing is called after
 * the call has ended.
 */
export interface CallClient {
  readonly peer: Peer;
  /** Stands in the record; null = HTTP/1.1. */
  readonly door: 'http2' | null;
  /** Of a client that only asks for a verdict. Null: its permits are forwarded. */
  readonly verdicts: VerdictWords | null;
  /** Writes a whole response of ours and ends the call's part of the connection. */
  own(response: OwnResponse): void;
  /** @param fields for the client, in place of the upstream's */
  interim(head: ResponseHead, fields: Fields): void;
  /** @param fields for the client, in place of the upstream's, and without framing */
  head(head: ResponseHead, fields: Fields): void;
  /**
   * In place of `head`: the upstream has agreed to another protocol. From now on the request's body
   * is what the client sends, that which came early included, and `body` is what it gets.
   *
   * @param fields for the client, in place of the upstream's
   */
  tunnel(head: ResponseHead, fields: Fields): void;
  /** The last bytes of a tunnel, in place of whatever was given and not flushed, and its end. */
  lastBytes(bytes: Buffer): void;
  body(content: Buffer): void;
  /**
   * The response is complete.
   *
   * @param trailers fields behind its content, dropped where the client does not take them; null:
   * none
   */
  end(trailers: Fields | null): void;
  /** @returns false when the client is slow: wait for `onClientDrain` */
  flush(): boolean;
  /** Breaks the response off so that the client cannot take it for a whole one. */
  cut(): void;
  /**
   * @param sayContinue tells a client that waits with its body to send it (RFC 9110 §10.1.1)
   * @returns whether bytes of the request's body are here; if not, `onRequestBodyHere` follows once
   * they are
   */
  awaitBody(sayContinue: boolean): boolean;
  /**
   * Both sides of the call speak when they like, and the upstream's connection counts their
   * silence: no pace is asked of the body any more.
   */
  streams(): void;
  pauseBody(): void;
  /**
   * @returns true when bytes of the body are at hand: they follow before this turn of the loop
   * ends, and a flush behind them
   */
  resumeBody(): boolean;
}
