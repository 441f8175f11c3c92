import type { AcceptanceWaiter } from '../audit/port.ts';
import type { Decision } from '../decision/decide.ts';
import { keepsTunnel } from '../decision/tunnel-route.ts';
import { type BodyWish, NOTHING_FOUND, type Permit, type Verdict } from '../decision/verdict.ts';
import { Forward } from '../forwarding/forward.ts';
import { certificateOf } from '../http/client-address.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { Trailers } from '../http/trailers.ts';
import type { RefusalReason } from '../refusal.ts';
import type { ResponseReceiver } from '../upstream/port.ts';
import { recordDecision, type Standing } from './admission.ts';
import { isStillVouchedFor, vouchedFor } from './assertion.ts';
import { HeldBody } from './held-body.ts';
import { goesNoFurther, optionsTo, preflightTo } from './own-responses.ts';
import { requestFor, requestTrailers } from './passed-on.ts';
import type { VerdictWords } from './port.ts';
import { exchangeToken, type Renewal, renewedResponse } from './renewal.ts';
import { RespondingCall } from './responding-call.ts';
import type { Gone } from './state.ts';
import { Tunnel } from './tunnel/tunnel.ts';

/**
 * One call, in the order in which it happens: here from its head until an upstream has all of its
 * request, in responding-call.ts the response on its way back, in ending-call.ts whatever ends it.
 *
 * ```
 *   deciding ──▶ recording ──────────▶ forwarding ──▶ responding ──▶ begun ──▶ ended
 *      │ ▲          │    └▶ awaiting-body ──▲  │           │ ▲          │         ▲
 *   collecting      │    └▶ renewing ──────────┴───────────┴─┼──────────┼─────────┤
 *                   └──── a refusal, or a response of ours ──┴──────────┴─────────┘
 * ```
 *
 * Until `begun` the caller can be given another response than the upstream's; from then on the
 * response can only be broken off. Whatever happens, exactly one decision is recorded (or counted
 * once, when it is one of a flood), and exactly one outcome for every permit, and for every refusal
 * that its caller did not get as it was decided. Where there is no room for the decision there is
 * no record, and it is counted: if somebody waits for it, nothing goes anywhere, and the response
 * is 503.
 *
 * Under the `acknowledged` guarantee refusals and unsafe methods wait for their record before
 * anything goes anywhere (calls/admission.ts); safe methods go upstream at once and only their
 * response waits, which is why whether a record is awaited stands beside the state.
 *
 * A request for another protocol waits like an unsafe method. Where its upstream agrees (101), the
 * call is `begun` and becomes a tunnel: what either side sends is passed on as a body is, and
 * nothing of what the client has sent before.
 */
export class Call extends RespondingCall implements AcceptanceWaiter, ResponseReceiver {
  // ── the verdict ──

  /** Decides and goes on from there. */
  begin(triesLeft = DECISION_TRIES): void {
    this.state = 'deciding';
    const decision = this.services.decider.decide(
      this.head!,
      this.client.peer,
      this.record.address.address,
      this.held?.bytes,
      certificateOf(this.client.peer, this.services.trustedProxies),
    );
    if (decision instanceof Promise) {
      decision.then(
        (late) => this.guarded(() => this.#decidedLate(late, triesLeft)),
        (error: unknown) => this.onFault(error),
      );
    } else if (decision.permitted === null) {
      this.#collect(decision);
    } else {
      this.#judged(decision);
    }
  }

  /**
   * The registry may have changed between the verdict and this turn of the loop, and routes since
   * the look-up began: then the verdict is about what was, and is reached again.
   */
  #decidedLate(decision: Decision, triesLeft: number): void {
    if (this.verdict !== null) return; // refused meanwhile, for another reason
    if (decision.permitted === null) this.#collect(decision);
    else if (!decision.permitted || this.#stands(decision)) this.#judged(decision);
    else if (triesLeft > 0) this.begin(triesLeft - 1);
    else this.refuse('registry-unavailable');
  }

  /** Calls finish by the routes that they were matched by; tunnels have no end of their own. */
  #stands(permit: Permit): boolean {
    const { openCalls, decider } = this.services;
    return openCalls.stands(permit, this.origin) && keepsTunnel(permit, this.head, decider.table);
  }

  /** The body decides. It is read once and kept, and whoever sends it slowly holds nothing else. */
  #collect(wish: BodyWish): void {
    this.held = new HeldBody(this.services.heldBodies, wish);
    if (this.gone !== null) {
      this.#refuseIncomplete(this.gone);
      return;
    }
    this.state = 'collecting';
    this.record.bodyAwaited();
    this.client.awaitBody(this.head!.expectsContinue);
    this.client.resumeBody();
  }

  /** Nobody will know what it was about. */
  #refuseIncomplete(why: Gone): void {
    this.refuse(why === 'draining' ? 'draining' : 'request-malformed', INCOMPLETE);
  }

  /**
   * Refuses without asking the decision: what a door found out by itself. Recorded like every
   * refusal.
   *
   * @param allow of `method-refused`
   */
  refuse(
    reason: RefusalReason,
    detail: string | null = null,
    allow: readonly string[] = NO_NAMES,
  ): void {
    const found = this.held?.wish.found ?? NOTHING_FOUND;
    this.#judged({ ...found, permitted: false, reason, allow, detail });
  }

  /**
   * @param exposedAccountId whose token was seen in the clear; null = none was
   * @param detail what else was wrong with the request
   */
  refusePlaintext(exposedAccountId: string | null, detail: string | null = null): void {
    this.record.exposed = exposedAccountId !== null;
    const found = { ...NOTHING_FOUND, claimedAccountId: exposedAccountId };
    this.#judged({ ...found, permitted: false, reason: 'plaintext-refused', allow: [], detail });
  }

  #judged(reached: Verdict): void {
    const { services, head, client, record } = this;
    const verdict =
      services.assertions === null ? reached : vouchedFor(services, reached, head, client, record);
    const collected = this.state === 'collecting';
    this.state = 'recording';
    this.verdict = verdict;
    // Of a body that still comes nothing is taken.
    if (collected && this.gone === null) client.pauseBody();
    // In the same turn in which it was reached: no change can come between the verdict and the list
    // of those whom changes concern.
    if (verdict.permitted && verdict.account !== null) this.#opened(verdict, verdict.account);
    const standing = this.#recorded(verdict);
    // Already ended, or told: then everything has happened. Or it waits in vain, and is told so
    // once this turn is over: nothing goes upstream for that.
    if (this.ended || standing === 'lost' || (standing === 'waits' && !this.awaitsRecord)) return;
    const forwards = verdict.permitted && verdict.preflight === null;
    if (forwards && !(this.awaitsRecord && verdict.unsafe)) this.#startForward(verdict);
    else if (!this.awaitsRecord) this.#proceed();
  }

  #recorded(verdict: Verdict): Standing {
    const bestEffort = verdict.route?.audit === 'best-effort';
    // Before it is recorded: the waiter may be told at once.
    this.awaitsRecord = this.services.guarantee === 'acknowledged' && !bestEffort;
    try {
      const standing = recordDecision(this.services, this.record, verdict, this, bestEffort);
      if (standing === 'counted') this.awaitsRecord = false;
      return standing;
    } catch (error) {
      this.awaitsRecord = false; // nobody will tell us about what could not be written down
      throw error;
    }
  }

  #opened(permit: Permit, account: NonNullable<Permit['account']>): void {
    const { openCalls, uses, clock } = this.services;
    openCalls.add(this);
    uses.note(
      account.account.id,
      permit.tokenId ?? '',
      clock.wallMs(),
      this.record.clientAddress ?? '-',
    );
  }

  /** The log has the decision. */
  accepted(): void {
    if (this.ended) return;
    this.awaitsRecord = false;
    this.guarded(() => this.#proceed());
  }

  /** The log could not take the decision in time: nothing is given out that was not recorded. */
  notAccepted(): void {
    if (this.ended) return;
    // as far as it will ever be: the refusal below must not wait for it
    this.awaitsRecord = false;
    this.guarded(() => {
      this.forward?.abort();
      this.respondRefusal('audit-unavailable');
    });
  }

  /** What waited for the record goes on. */
  #proceed(): void {
    const verdict = this.verdict!;
    if (!verdict.permitted) this.respondRefusal(verdict.reason);
    else if (this.gone !== null) this.end(this.gone);
    else if (this.replacement !== null) this.respondRefusal(this.replacement);
    else if (verdict.preflight !== null) this.#respondPreflight(verdict, verdict.preflight);
    else if (this.forward !== null) this.#release(this.forward);
    else if (this.covered()) this.#startForward(verdict);
  }

  /** It says itself who may read it in a browser. */
  #respondPreflight(permit: Permit, method: string): void {
    const own = preflightTo(this.head!, permit, method, this.record.id);
    this.respond(own, null, 'permitted');
  }

  #release(forward: Forward): void {
    this.record.heldSinceMs = forward.heldSinceMs;
    forward.release();
  }

  // ── what a permit is for ──

  #startForward(permit: Permit): void {
    if (this.gone !== null) {
      this.end(this.gone);
      return;
    }
    const head = this.head!;
    if (this.client.verdicts !== null || permit.route.action !== null || goesNoFurther(head)) {
      // What the gate itself responds to waits for the record, whatever the method.
      if (!this.awaitsRecord) this.#doHere(permit, head);
      return;
    }
    // No connection to the upstream before there is something to send on it: nobody takes one by
    // a body that does not come.
    if (this.state === 'awaiting-body') return;
    const isToCome = head.framing.kind !== 'none' && this.held === null;
    if (isToCome && this.#waitsForBody(permit, head)) {
      this.state = 'awaiting-body';
      this.record.bodyAwaited();
      return;
    }
    this.#forwardTo(permit, head);
  }

  /**
   * Not where a call takes a stream alone: its upstream may be the one that speaks first, as in
   * gRPC.
   */
  #waitsForBody({ route }: Permit, { expectsContinue }: RequestHead): boolean {
    const streams = this.services.upstreams.get(route.upstream)?.streams === true;
    return (expectsContinue || !streams) && !this.client.awaitBody(expectsContinue);
  }

  #forwardTo(permit: Permit, head: RequestHead): void {
    const upstream = this.services.upstreams.get(permit.route.upstream);
    if (upstream === undefined)
      throw new Error(`route ${permit.route.name} names an upstream that is not there`);
    const { services, client, record } = this;
    if (!isStillVouchedFor(services, permit, head, client, record)) {
      this.replaceResponse('assertion-unavailable');
      return;
    }
    const request = requestFor(upstream, permit, head, client.peer, record, services.via);
    record.forwardedMs = services.clock.monotonicMs();
    const account = permit.account?.account.id ?? null;
    if (permit.upgrade !== null) {
      this.tunnel = Tunnel.of(permit.upgrade, services.tunnels, account!);
      if (this.tunnel === null) {
        this.replaceResponse('overloaded');
        return;
      }
    }
    const forward = new Forward(upstream, request, account, this);
    this.state = 'forwarding';
    this.forward = forward;
    if (upstream.streams && head.framing.kind !== 'none' && this.held === null) client.streams();
    if (!forward.start(this.awaitsRecord)) this.replaceResponse('overloaded');
  }

  /** What no upstream is asked for: a verdict, what may be done here, a token for another. */
  #doHere(permit: Permit, head: RequestHead): void {
    const { verdicts } = this.client;
    if (verdicts !== null) this.#respondPermit(verdicts, permit, head);
    else if (goesNoFurther(head))
      this.respond(optionsTo(head, this.services, permit, this.record.id), permit, 'permitted');
    else this.#renewToken(permit, head);
  }

  #respondPermit(verdicts: VerdictWords, permit: Permit, head: RequestHead): void {
    const { services, client, record } = this;
    if (!isStillVouchedFor(services, permit, head, client, record)) {
      this.replaceResponse('assertion-unavailable');
      return;
    }
    const text = record.assertion?.text ?? null;
    this.respond(verdicts.permitted(permit, record.id, text), permit, 'permitted');
  }

  /**
   * The token is exchanged once this was asked for, whatever becomes of the call: from here on
   * nothing but its client's going ends it before the response is there, least of all that the
   * token which it was made with counts no more. A body is not read, and ends the connection.
   */
  #renewToken(permit: Permit, head: RequestHead): void {
    const renewal = exchangeToken(this.services.renewToken, permit, head);
    this.services.openCalls.remove(this);
    this.state = 'renewing';
    renewal.then(
      (done) => this.guarded(() => this.#renewed(done, permit)),
      (error: unknown) => {
        if (!this.ended) this.state = 'recording';
        this.onFault(error);
      },
    );
  }

  #renewed(renewal: Renewal, permit: Permit): void {
    if (this.ended) return;
    this.state = 'recording';
    if (!renewal.renewed) this.replaceResponse(renewal.reason);
    else this.respond(renewedResponse(renewal, this.record.id, permit.rate), permit, 'permitted');
  }

  // ── the request body, from the door ──

  /** Its first bytes are here, and were waited for. */
  onRequestBodyHere(): void {
    if (this.state !== 'awaiting-body') return;
    this.state = 'recording';
    this.record.bodyCame();
    if (this.replacement === null) this.guarded(() => this.#startForward(this.permit));
  }

  onRequestBody(content: Buffer): void {
    if (!this.covered()) return;
    this.record.requestBytes += content.length;
    const { bodyBytes } = this.services;
    if (bodyBytes > 0 && this.record.requestBytes > bodyBytes && this.tunnel === null) {
      this.stop('body-too-large');
      return;
    }
    if (this.state === 'collecting') {
      const fault = this.held!.push(content);
      if (fault !== null) this.stop(fault);
    } else {
      this.forward?.sendBody(content);
    }
  }

  /** The end of what one read brought. */
  onRequestFlush(): void {
    if (this.forward?.flushBody() === false) this.client.pauseBody();
  }

  /** @param trailers fields behind the body, as received; null: none came */
  onRequestEnd(trailers: Trailers | null): void {
    if (this.tunnel !== null) {
      this.#leaveTunnel();
      return;
    }
    if (this.state !== 'collecting') {
      this.#endBody(trailers);
      return;
    }
    this.held!.trailers = trailers;
    this.record.bodyCame();
    this.guarded(() => this.begin());
  }

  #endBody(trailers: Trailers | null): void {
    if (this.forward === null) return;
    const { services, permit, head } = this;
    const upstream = services.upstreams.get(permit.route.upstream)!;
    this.forward.endBody(
      trailers === null ? null : requestTrailers(upstream, permit, head!, trailers),
    );
  }

  /** The client has ended its direction: what it has sent still reaches the upstream. */
  #leaveTunnel(): void {
    if (this.ended) return;
    this.forward!.finish();
    this.complete(null);
  }

  /**
   * The body is no valid body, or came too slowly: the upstream must not take what it got for the
   * whole.
   */
  onRequestFailed(reason: 'request-malformed' | 'request-timeout'): void {
    if (!this.ended && this.state !== 'renewing') this.stop(reason);
  }

  /**
   * The client has gone, or was cut off: the upstream learns it, and the call is over once it is
   * recorded.
   */
  onClientGone(why: Gone = 'client-aborted'): void {
    if (this.ended) return;
    this.gone = why;
    if (this.tunnel !== null && this.state === 'begun') this.forward?.finish();
    else this.forward?.abort();
    if (this.state === 'collecting') {
      this.guarded(() => this.#refuseIncomplete(why));
      return;
    }
    // Still being decided, or not yet on record: what is waited for ends the call.
    if (this.verdict === null || this.awaitsRecord) return;
    this.end(why);
  }

  onClientDrain(): void {
    this.forward?.resume();
  }

  /** A connection takes the request's body. */
  onConnected(): void {
    // At every try: the same bytes.
    if (this.held !== null) {
      this.forward!.sendBody(this.held.bytes);
      this.#endBody(this.held.trailers);
      return;
    }
    // What came together goes on together: the head waits for the first bytes of its body, if they
    // are here.
    const follows = this.client.resumeBody();
    if (!follows && !this.ended) this.onRequestFlush();
  }

  /** It takes more of it; of a tunnel nothing before it has agreed to one. */
  onDrain(): void {
    if (this.tunnel !== null && this.state === 'forwarding') return;
    this.client.resumeBody();
  }
}

const NO_NAMES: readonly string[] = [];

/** Of a body by which would have been decided. */
const INCOMPLETE = 'the connection ended before the body did';

/** How often a decision is reached anew because the registry changed under it. */
const DECISION_TRIES = 3;
