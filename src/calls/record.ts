import type { Account } from '../account/model.ts';
import type { Assertion } from '../assertion/assertions.ts';
import type { EventBytes } from '../audit/event/bytes.ts';
import type { AccountFacts, CallFacts, EndFacts } from '../audit/event/call-facts.ts';
import { permitJson } from '../audit/event/call-json.ts';
import type { PlainAccount } from '../audit/event/kept-blocks.ts';
import { headersOf, type RecordedHeaders } from '../audit/event/recorded-headers.ts';
import type { OpenPermit } from '../audit/permits/open-permits.ts';
import type { AcceptanceWaiter, Taken } from '../audit/port.ts';
import type { Route } from '../decision/route.ts';
import type { Verdict } from '../decision/verdict.ts';
import { KEY_SET } from '../decision/whole-server.ts';
import { addressOnly, type ClientAddress } from '../http/client-address.ts';
import type { RequestHead } from '../http/request-head.ts';
import { type Trace, traceOf } from '../http/trace.ts';
import { type Reason, refusalKind } from '../refusal.ts';
import type { SpanFacts } from '../telemetry/traces/span.ts';
import type { DecisionWriter } from './admission.ts';
import type { CallClient, CallServices } from './port.ts';

/**
 * What is known of one call, filled in as it happens, and how it is written down: one decision, one
 * outcome if it was permitted or answered otherwise than decided, one measurement. Times are
 * monotonic milliseconds; 0 = it has not happened.
 */
export class CallRecord
  implements OpenPermit, DecisionWriter<Verdict>, CallFacts, EndFacts, SpanFacts
{
  readonly #services: CallServices;
  readonly #head: RequestHead | null;
  readonly #door: CallClient['door'];
  readonly id: string;
  readonly address: ClientAddress;
  /** Null when what came could not be read as a request. */
  readonly trace: Trace | null;
  readonly startedMs: number;
  /** A token came in the clear. */
  exposed = false;
  /** When the request was given to the upstream's connection. */
  forwardedMs = 0;
  /** When the first byte of a response came that had to wait for the decision's acceptance. */
  heldSinceMs = 0;
  #answeredMs = 0;
  /** Since when the first bytes of the request's body are awaited, and how long they were. */
  #awaitedSinceMs = 0;
  #awaitedMs = 0;
  /** What the client was told; 0 = nothing. */
  status = 0;
  upstreamStatus: number | null = null;
  requestBytes = 0;
  /** What tells the upstream who calls; null: it wants nothing of the kind. */
  assertion: Assertion | null = null;
  #decidedAssertion: Assertion | null = null;
  /** Content given to the client's socket. */
  responseBytes = 0;

  /** How it ended, and how long it took; once it has ended. */
  reason: Reason = 'outcome-unknown';
  durationMs = 0;

  /** The outbox has the decision. */
  #decided = false;
  place = -1;
  batch = -1;
  #verdict: Verdict | null = null;
  /** What the decision's event says of the call needs no second look. */
  #plain: PlainAccount | null = null;

  /** @param door the client's, where that is not HTTP/1.1 */
  constructor(
    services: CallServices,
    head: RequestHead | null,
    { peer, door }: Pick<CallClient, 'peer' | 'door'>,
  ) {
    this.#services = services;
    this.#head = head;
    this.#door = door;
    this.startedMs = services.clock.monotonicMs();
    this.id = services.nextRequestId();
    this.trace = head === null ? null : traceOfCall(services, head, peer);
    this.address =
      head === null ? addressOnly(peer.address) : services.trustedProxies.clientOf(head, peer);
    services.meter.callBegan();
  }

  /** Nothing goes on before the first bytes of the request's body: the client's time. */
  bodyAwaited(): void {
    this.#awaitedSinceMs = this.#services.clock.monotonicMs();
  }

  bodyCame(): void {
    this.#awaitedMs = this.#services.clock.monotonicMs() - this.#awaitedSinceMs;
  }

  /** The head of the upstream's response is here. Answers when, on the monotonic clock. */
  answered(status: number): number {
    this.#answeredMs = this.#services.clock.monotonicMs();
    this.upstreamStatus = status;
    return this.#answeredMs;
  }

  /** The upstream's head, and so much of its content, was given to the client's socket. */
  given(bytes: number): void {
    this.status = this.upstreamStatus ?? 0;
    this.responseBytes += bytes;
  }

  isOneOfFlood(verdict: Verdict, floods: CallServices['floods']): boolean {
    // Of what is let in only preflights can be, and who asks for the keys of assertions: strangers
    // make as many of them as they like, and nothing comes of them.
    const { permitted, route } = verdict;
    if (permitted && verdict.preflight === null && route !== KEY_SET) return false;
    const reason = verdict.permitted ? 'permitted' : verdict.reason;
    return floods.folds(this.address.address, reason, verdict.account?.account ?? null);
  }

  /** @param waiter told whether the event was accepted; null = nobody waits */
  decision(verdict: Verdict, waiter: AcceptanceWaiter | null): Taken {
    this.#verdict = verdict;
    this.#decidedAssertion = this.assertion;
    const { outbox } = this.#services;
    const taken = outbox.write(writeDecision, this, verdict.account?.account.id ?? null, waiter);
    this.#decided = taken !== 'no-room';
    // What comes of a permit that a proxy has asked for nobody here will know.
    if (verdict.permitted && this.#decided && this.#isForwarded) outbox.permits.add(this);
    return taken;
  }

  /**
   * The call is over: its measurement, and its outcome if it was permitted and forwarded, or if the
   * caller got something else than was decided on. Without a decision there is no outcome.
   */
  ended(verdict: Verdict, reason: Reason): void {
    const durationMs = this.#services.clock.monotonicMs() - this.startedMs;
    const decided = verdict.permitted ? 'permitted' : verdict.reason;
    if (this.#decided && (reason !== decided || (verdict.permitted && this.#isForwarded))) {
      if (verdict !== this.#verdict) this.#plain = null;
      this.#verdict = verdict;
      this.reason = reason;
      this.durationMs = durationMs;
      const { outbox } = this.#services;
      outbox.writeEnd(writeOutcome, this, verdict.account?.account.id ?? null);
      outbox.permits.remove(this);
    }
    if (verdict.honey !== null) this.#honey(verdict.honey, verdict.tokenId);
    const { accessLog, meter, tracer } = this.#services;
    const measure = {
      route: verdict.route,
      method: this.#head?.method ?? null,
      status: this.status,
      reason,
      durationMs,
      overheadMs: this.forwardedMs === 0 ? durationMs : this.overheadMs,
      upstreamMs: this.upstreamMs,
      requestBytes: this.requestBytes,
      responseBytes: this.responseBytes,
      account: verdict.account?.account.name ?? null,
      accountId: verdict.account?.account.id ?? null,
      application: verdict.application,
    };
    meter.callEnded(measure);
    if (accessLog !== null) accessLog.write(this, measure);
    if (tracer !== null) tracer.ended(this, measure);
  }

  /** Only now that the caller has its response: nothing in it, nor its time, tells of it. */
  #honey(bait: Account, tokenId: string | null): void {
    const { method, path, userAgent, clientAddress } = this;
    this.#services.honey.presented({
      bait,
      tokenId: tokenId ?? '',
      clientAddress,
      door: this.door ?? 'http1',
      method,
      path,
      userAgent,
      requestId: this.id,
    });
  }

  /** What the upstream is told of it. @param isKnown the caller is an account */
  traceTo(isKnown: boolean): Trace {
    const { tracer } = this.#services;
    if (tracer !== null) tracer.forwarded(this.trace, isKnown);
    return this.trace!;
  }

  /** Of a call that was forwarded: our part of it so far. */
  get overheadMs(): number {
    return this.forwardedMs - this.startedMs - this.#awaitedMs + this.#heldMs();
  }

  /** The upstream's part, until the head of its response; null: there is none. */
  get upstreamMs(): number | null {
    if (this.#answeredMs === 0) return null;
    // It may respond before it was given the whole request.
    return Math.max(0, this.#answeredMs - this.#heldMs() - this.forwardedMs);
  }

  /** Our part of it, once it has ended; null: it was not forwarded. */
  get gateMs(): number | null {
    return this.forwardedMs === 0 ? null : this.overheadMs;
  }

  /** How long the upstream's response waited for our record: our time, not the upstream's. */
  #heldMs(): number {
    return this.heldSinceMs === 0 || this.#answeredMs === 0
      ? 0
      : this.#answeredMs - this.heldSinceMs;
  }

  get door(): NonNullable<CallFacts['door']> | null {
    if (this.#verdict?.permitted === true && this.#verdict.upgrade !== null) return 'tunnel';
    return this.#services.door ?? this.#door;
  }

  get #isForwarded(): boolean {
    return this.#services.door !== 'decision';
  }

  get assertionId(): string | null {
    return this.assertion === null ? null : this.assertion.id;
  }

  get laterAssertionId(): string | null {
    return this.assertion === this.#decidedAssertion ? null : this.assertionId;
  }

  get traceId(): string | null {
    return this.trace?.traceId ?? null;
  }

  get method(): string | null {
    return this.#head?.method ?? null;
  }

  get path(): string | null {
    return this.#head?.path ?? null;
  }

  get version(): RequestHead['version'] | null {
    return this.#head?.version ?? null;
  }

  get userAgent(): string | null {
    return this.#head?.userAgent ?? null;
  }

  get clientAddress(): string | null {
    return this.#services.recordedAddress(this.address.address);
  }

  get headers(): RecordedHeaders | null {
    const { recordedHeaders } = this.#services;
    return recordedHeaders === null || this.#head === null
      ? null
      : headersOf(this.#head, recordedHeaders);
  }

  get caller(): AccountFacts | null {
    return this.#verdict?.account?.account ?? null;
  }

  get route(): Route | null {
    return this.#verdict?.route ?? null;
  }

  get application(): string | null {
    return this.#verdict?.application ?? null;
  }

  describe(): string | null {
    const verdict = this.#verdict;
    return verdict === null || verdict.demand === null ? null : permitJson(verdict);
  }

  writeDecision(to: EventBytes, seq: number): void {
    const { events, clock } = this.#services;
    const verdict = this.#verdict!;
    const status = verdict.permitted ? null : refusalKind(verdict.reason).status;
    this.#plain = events.decision(to, seq, clock.wallMs(), this, verdict, status);
  }

  writeOutcome(to: EventBytes, seq: number): void {
    const { events, clock } = this.#services;
    events.outcome(to, seq, clock.wallMs(), this, this.#verdict!, this, this.#plain);
  }
}

function traceOfCall(
  { tracer, traces }: CallServices,
  head: RequestHead,
  { secure }: CallClient['peer'],
): Trace {
  return tracer === null ? traceOf(head, traces) : tracer.begin(head, secure);
}

function writeDecision(to: EventBytes, seq: number, record: CallRecord): void {
  record.writeDecision(to, seq);
}

function writeOutcome(to: EventBytes, seq: number, record: CallRecord): void {
  record.writeOutcome(to, seq);
}
