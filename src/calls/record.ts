import { permitText } from '../audit/permits/notes.ts';
import type { OpenPermit } from '../audit/permits/open-permits.ts';
import type { AcceptanceWaiter, Taken } from '../audit/port.ts';
import { askedPermission } from '../decision/demand.ts';
import type { Verdict } from '../decision/verdict.ts';
import { addressOnly, type ClientAddress } from '../http/client-address.ts';
import type { Peer, RequestHead } from '../http/request-head.ts';
import { type Trace, traceOf } from '../http/trace.ts';
import { type Reason, refusalKind } from '../refusal.ts';
import type { DecisionWriter } from './admission.ts';
import type { CallServices } from './port.ts';

/**
 * What is known of one call, filled in as it happens, and how it is written down: one decision, one
 * outcome if it was permitted or answered otherwise than decided, one measurement. Times are
 * monotonic milliseconds; 0 = it has not happened.
 */
export class CallRecord implements OpenPermit, DecisionWriter<Verdict> {
  readonly #services: CallServices;
  readonly #head: RequestHead | null;
  readonly id: string;
  readonly address: ClientAddress;
  /** Null when what came could not be read as a request. */
  readonly trace: Trace | null;
  readonly #startedMs: number;
  /** A token came in the clear. */
  exposed = false;
  /** When the request was given to the upstream's connection. */
  forwardedMs = 0;
  /** When the first byte of an answer came that had to wait for the decision's acceptance. */
  heldSinceMs = 0;
  #answeredMs = 0;
  /** Since when the first bytes of the request's body are awaited, and how long they were. */
  #awaitedSinceMs = 0;
  #awaitedMs = 0;
  /** What the client was told; 0 = nothing. */
  status = 0;
  #upstreamStatus: number | null = null;
  requestBytes = 0;
  /** Content given to the client's socket. */
  responseBytes = 0;

  /** The outbox has the decision. */
  #decided = false;
  place = -1;
  #verdict: Verdict | null = null;

  constructor(services: CallServices, head: RequestHead | null, peer: Peer) {
    this.#services = services;
    this.#head = head;
    this.#startedMs = services.clock.monotonicMs();
    this.id = services.nextRequestId();
    this.trace = head === null ? null : traceOf(head, services.traces);
    this.address =
      head === null ? addressOnly(peer.address) : services.trustedProxies.clientOf(head, peer);
  }

  /** Nothing goes on before the first bytes of the request's body: the client's time. */
  bodyAwaited(): void {
    this.#awaitedSinceMs = this.#services.clock.monotonicMs();
  }

  bodyCame(): void {
    this.#awaitedMs = this.#services.clock.monotonicMs() - this.#awaitedSinceMs;
  }

  /** The head of the upstream's answer is here. Answers when, on the monotonic clock. */
  answered(status: number): number {
    this.#answeredMs = this.#services.clock.monotonicMs();
    this.#upstreamStatus = status;
    return this.#answeredMs;
  }

  /** The upstream's head, and so much of its content, was given to the client's socket. */
  given(bytes: number): void {
    this.status = this.#upstreamStatus ?? 0;
    this.responseBytes += bytes;
  }

  isOneOfFlood(verdict: Verdict, floods: CallServices['floods']): boolean {
    // Of what is let in only preflights can be: strangers make as many of them as they like.
    if (verdict.permitted && verdict.preflight === null) return false;
    const reason = verdict.permitted ? 'permitted' : verdict.reason;
    return floods.folds(this.address.address, reason, verdict.account?.account ?? null);
  }

  /** @param waiter told whether the event was accepted; null = nobody waits */
  decision(verdict: Verdict, waiter: AcceptanceWaiter | null): Taken {
    const head = this.#head;
    const permitted = verdict.permitted;
    const { outbox } = this.#services;
    const taken = outbox.record(
      (seq) =>
        this.#services.events.decision(seq, {
          id: this.id,
          timeMs: this.#services.clock.wallMs(),
          reason: permitted ? 'permitted' : verdict.reason,
          account: verdict.account?.account ?? null,
          claimedAccountId: verdict.claimedAccountId,
          exposed: this.exposed,
          tokenId: verdict.tokenId,
          scheme: verdict.scheme,
          preflight: permitted ? verdict.preflight : null,
          detail: permitted ? null : verdict.detail,
          route: verdict.route,
          application: verdict.application,
          demand: verdict.demand,
          role: verdict.role,
          method: head?.method ?? null,
          path: head?.path ?? null,
          status: permitted ? null : refusalKind(verdict.reason).status,
          clientAddress: this.address.address,
          userAgent: head?.userAgent ?? null,
          traceId: this.trace?.traceId ?? null,
        }),
      verdict.account?.account.id ?? null,
      waiter,
    );
    this.#decided = taken !== 'no-room';
    if (permitted && this.#decided) {
      this.#verdict = verdict;
      outbox.permits.add(this);
    }
    return taken;
  }

  /**
   * The call is over: its measurement, and its outcome if it was permitted, or if the caller got
   * something else than the refusal that was decided on. Without a decision there is no outcome.
   */
  ended(verdict: Verdict, reason: Reason): void {
    const durationMs = this.#services.clock.monotonicMs() - this.#startedMs;
    if (this.#decided && (verdict.permitted || reason !== verdict.reason))
      this.#outcome(verdict, reason, durationMs);
    this.#services.meter.callEnded({
      route: verdict.route,
      method: this.#head?.method ?? null,
      status: this.status,
      reason,
      durationMs,
      overheadMs:
        this.forwardedMs === 0
          ? durationMs
          : this.forwardedMs - this.#startedMs - this.#awaitedMs + this.#heldMs(),
      upstreamMs:
        this.#answeredMs === 0 ? null : this.#answeredMs - this.#heldMs() - this.forwardedMs,
    });
  }

  /** How long the upstream's answer waited for our record: our time, not the upstream's. */
  #heldMs(): number {
    return this.heldSinceMs === 0 || this.#answeredMs === 0
      ? 0
      : this.#answeredMs - this.heldSinceMs;
  }

  get traceId(): string | null {
    return this.trace?.traceId ?? null;
  }

  /** Of a permit: whom it is for, and where it leads. */
  kind(): string {
    const { account = null, route = null, application = null, demand = null } = this.#verdict ?? {};
    const who = account === null ? '' : `${account.account.id} ${account.account.name}`;
    const kind = `${who} ${route?.name} ${application}`;
    return demand === null || route === null ? kind : `${kind} ${askedPermission(route, demand)}`;
  }

  /** For whoever has to close it, should this process end without a word. */
  describe(): string {
    const { account = null, route = null, application = null, demand = null } = this.#verdict ?? {};
    const who = account?.account ?? null;
    return permitText({
      type: 'call',
      account: who === null ? null : { id: who.id, name: who.name, kind: who.kind },
      route: route?.name,
      permission: route === null ? undefined : (askedPermission(route, demand) ?? undefined),
      upstream: route?.upstream || undefined,
      application: application ?? undefined,
    });
  }

  #outcome(verdict: Verdict, reason: Reason, durationMs: number): void {
    this.#services.outbox.recordEnd(
      (seq) =>
        this.#services.events.outcome(seq, {
          id: this.id,
          timeMs: this.#services.clock.wallMs(),
          reason,
          account: verdict.account?.account ?? null,
          route: verdict.route,
          application: verdict.application,
          demand: verdict.demand,
          status: this.status === 0 ? null : this.status,
          upstreamStatus: this.#upstreamStatus,
          durationMs,
          requestBytes: this.requestBytes,
          responseBytes: this.responseBytes,
          traceId: this.trace?.traceId ?? null,
        }),
      verdict.account?.account.id ?? null,
    );
    this.#services.outbox.permits.remove(this);
  }
}
