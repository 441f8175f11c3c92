import type { AcceptanceWaiter } from '../audit/port.ts';
import type { Decision } from '../decision/decide.ts';
import type { Origin } from '../decision/origin.ts';
import {
  type BodyWish,
  NOTHING_FOUND,
  type Permit,
  type Refusal,
  type Verdict,
} from '../decision/verdict.ts';
import { SERVER_METHODS, WHOLE_SERVER } from '../decision/whole-server.ts';
import { addCorsOf, preflightFields } from '../forwarding/cors-fields.ts';
import { Forward } from '../forwarding/forward.ts';
import { interimFields } from '../forwarding/response-fields.ts';
import { passedTrailers } from '../forwarding/trailer-fields.ts';
import type { Fields } from '../http/fields.ts';
import { maxForwards } from '../http/max-forwards.ts';
import type { OwnResponse } from '../http/outgoing.ts';
import type { ClientCertificate, RequestHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { Trailers } from '../http/trailers.ts';
import type { Reason, RefusalReason } from '../refusal.ts';
import type { ResponseReceiver, UpstreamFailure } from '../upstream/port.ts';
import { recordDecision, type Standing } from './admission.ts';
import { assertionFor } from './assertion.ts';
import { HeldBody } from './held-body.ts';
import type { OpenCall } from './open-calls.ts';
import { optionsResponse, preflightResponse, refusalOf } from './own-response.ts';
import {
  addTiming,
  finalFields,
  requestFor,
  requestTrailers,
  withPublicLinks,
} from './passed-on.ts';
import type { CallClient, CallServices, VerdictWords } from './port.ts';
import { CallRecord } from './record.ts';
import { exchangeToken, type Renewal, renewedResponse } from './renewal.ts';
import { type CallState, type Gone, UPSTREAM_REASONS } from './state.ts';
import { Tunnel } from './tunnel/tunnel.ts';

/**
 * One call, from its head to its last byte, in the order in which it happens:
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
export class Call implements AcceptanceWaiter, ResponseReceiver, OpenCall {
  readonly #services: CallServices;
  readonly #client: CallClient;
  readonly #head: RequestHead | null;
  readonly #record: CallRecord;

  #state: CallState = 'deciding';
  #verdict: Verdict | null = null;
  /** The log has not said yet whether it has the decision. */
  #awaitsRecord = false;
  #forward: Forward | null = null;
  /**
   * A refusal that takes the place of the upstream's response, and waits for the record like it.
   */
  #replacement: RefusalReason | null = null;
  /** The body decides: what is known until it is here. */
  #wish: BodyWish | null = null;
  /** The body by which was decided, until an upstream has responded. */
  #held: HeldBody | null = null;
  /** What the response's `Connection` names: not passed on behind its content either. */
  #nominated: readonly string[] = NO_NAMES;
  /** It becomes one once its upstream agrees, or is one. */
  #tunnel: Tunnel | null = null;
  /** Content that the door was given and that has not been given to the socket. */
  #gatheredBytes = 0;
  /** Monotonic clock, when the head came, until something was given to the client. */
  #headMs: number | undefined;
  /** Why nobody can be given a response any more. */
  #gone: Gone | null = null;
  /** The list's own (`OpenCalls`). */
  place = -1;

  /**
   * @param head null when what came could not be read as a request: then only `refuse` may follow
   */
  constructor(services: CallServices, client: CallClient, head: RequestHead | null) {
    this.#services = services;
    this.#client = client;
    this.#head = head;
    this.#record = new CallRecord(services, head, client);
  }

  // ── the verdict ──

  /** Decides and goes on from there. */
  begin(triesLeft = DECISION_TRIES): void {
    this.#state = 'deciding';
    const decision = this.#services.decider.decide(
      this.#head!,
      this.#client.peer,
      this.#record.address.address,
      this.#held?.bytes,
      this.#certificate,
    );
    if (decision instanceof Promise) {
      decision.then(
        (late) => this.#guarded(() => this.#decidedLate(late, triesLeft)),
        (error: unknown) => this.onFault(error),
      );
    } else if (decision.permitted === null) {
      this.#collect(decision);
    } else {
      this.#judged(decision);
    }
  }

  /**
   * The registry may have changed between the verdict and this turn of the loop: then the verdict
   * is about what was, and is reached again.
   */
  #decidedLate(decision: Decision, triesLeft: number): void {
    if (this.#verdict !== null) return; // refused meanwhile, for another reason
    if (decision.permitted === null) this.#collect(decision);
    else if (!decision.permitted || this.#services.openCalls.stands(decision, this.origin))
      this.#judged(decision);
    else if (triesLeft > 0) this.begin(triesLeft - 1);
    else this.refuse('registry-unavailable');
  }

  /** The body decides. It is read once and kept, and whoever sends it slowly holds nothing else. */
  #collect(wish: BodyWish): void {
    this.#wish = wish;
    if (this.#gone !== null) {
      this.#refuseIncomplete(this.#gone);
      return;
    }
    this.#held = new HeldBody(this.#services.heldBodies, wish.account, wish.limitBytes);
    this.#state = 'collecting';
    this.#record.bodyAwaited();
    this.#client.awaitBody(this.#head!.expectsContinue);
    this.#client.resumeBody();
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
    const found = this.#wish?.found ?? NOTHING_FOUND;
    this.#judged({ ...found, permitted: false, reason, allow, detail });
  }

  /**
   * @param exposedAccountId whose token was seen in the clear; null = none was
   * @param detail what else was wrong with the request
   */
  refusePlaintext(exposedAccountId: string | null, detail: string | null = null): void {
    this.#record.exposed = exposedAccountId !== null;
    const found = { ...NOTHING_FOUND, claimedAccountId: exposedAccountId };
    this.#judged({ ...found, permitted: false, reason: 'plaintext-refused', allow: [], detail });
  }

  #judged(reached: Verdict): void {
    const verdict = this.#services.assertions === null ? reached : this.#vouchedFor(reached);
    const collected = this.#state === 'collecting';
    this.#state = 'recording';
    this.#verdict = verdict;
    // Of a body that still comes nothing is taken.
    if (collected && this.#gone === null) this.#client.pauseBody();
    // In the same turn in which it was reached: no change can come between the verdict and the list
    // of those whom changes concern.
    if (verdict.permitted && verdict.account !== null) this.#opened(verdict, verdict.account);
    const standing = this.#recorded(verdict);
    // Already ended, or told: then everything has happened. Or it waits in vain, and is told so
    // once this turn is over: nothing goes upstream for that.
    if (this.#ended || standing === 'lost' || (standing === 'waits' && !this.#awaitsRecord)) return;
    const forwards = verdict.permitted && verdict.preflight === null;
    if (forwards && !(this.#awaitsRecord && verdict.unsafe)) this.#startForward(verdict);
    else if (!this.#awaitsRecord) this.#proceed();
  }

  /** With what tells the upstream who calls. Without a key to sign it with nobody is let in. */
  #vouchedFor(verdict: Verdict): Verdict {
    if (!verdict.permitted) return verdict;
    const assertion = assertionFor(this.#services, verdict, this.#head!, this.#client);
    if (assertion === 'unavailable')
      return { ...verdict, ...NOT_VOUCHED_FOR } as unknown as Refusal;
    this.#record.assertion = assertion;
    return verdict;
  }

  /** The body, or the record, was waited for: what was signed before may be half its life old. */
  #isStillVouchedFor(permit: Permit, head: RequestHead): boolean {
    const { assertion } = this.#record;
    if (assertion === null || this.#services.assertions?.isFresh(assertion) === true) return true;
    const next = assertionFor(this.#services, permit, head, this.#client);
    if (next === 'unavailable') return false;
    this.#record.assertion = next;
    return true;
  }

  #recorded(verdict: Verdict): Standing {
    const bestEffort = verdict.route?.audit === 'best-effort';
    // Before it is recorded: the waiter may be told at once.
    this.#awaitsRecord = this.#services.guarantee === 'acknowledged' && !bestEffort;
    try {
      const standing = recordDecision(this.#services, this.#record, verdict, this, bestEffort);
      if (standing === 'counted') this.#awaitsRecord = false;
      return standing;
    } catch (error) {
      this.#awaitsRecord = false; // nobody will tell us about what could not be written down
      throw error;
    }
  }

  #opened(permit: Permit, account: NonNullable<Permit['account']>): void {
    const { openCalls, uses, clock } = this.#services;
    openCalls.add(this);
    uses.note(
      account.account.id,
      permit.tokenId ?? '',
      clock.wallMs(),
      this.#record.clientAddress ?? '-',
    );
  }

  /** The log has the decision. */
  accepted(): void {
    if (this.#ended) return;
    this.#awaitsRecord = false;
    this.#guarded(() => this.#proceed());
  }

  /** The log could not take the decision in time: nothing is given out that was not recorded. */
  notAccepted(): void {
    if (this.#ended) return;
    // as far as it will ever be: the refusal below must not wait for it
    this.#awaitsRecord = false;
    this.#guarded(() => {
      this.#forward?.abort();
      this.#respondRefusal('audit-unavailable');
    });
  }

  /** What waited for the record goes on. */
  #proceed(): void {
    const verdict = this.#verdict!;
    if (!verdict.permitted) this.#respondRefusal(verdict.reason);
    else if (this.#gone !== null) this.#end(this.#gone);
    else if (this.#replacement !== null) this.#respondRefusal(this.#replacement);
    else if (verdict.preflight !== null) this.#respondPreflight(verdict, verdict.preflight);
    else if (this.#forward !== null) this.#release(this.#forward);
    else if (this.#covered()) this.#startForward(verdict);
  }

  #release(forward: Forward): void {
    this.#record.heldSinceMs = forward.heldSinceMs;
    forward.release();
  }

  // ── what ends it before its time ──

  /**
   * A fault of ours. The client gets 500 if nothing was sent yet, a broken response otherwise.
   * Never throws.
   */
  onFault(error: unknown): void {
    this.#logFault(error);
    if (this.#ended) return;
    try {
      this.#stop('internal-fault');
    } catch (second) {
      this.#logFault(second);
      this.#lastWord(() => this.#end('internal-fault'));
      this.#client.cut();
    }
  }

  #logFault(error: unknown): void {
    this.#services.log.error('a call failed inside the gate', {
      requestId: this.#record.id,
      error,
    });
  }

  #guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.onFault(error);
    }
  }

  get permit(): Permit {
    return this.#verdict as Permit;
  }

  get origin(): Origin {
    return { address: this.#record.address.address, certificate: this.#certificate };
  }

  /**
   * Behind a trusted proxy the connection's is that of the proxy, and says nothing of the client.
   */
  get #certificate(): ClientCertificate | null {
    const { certificate = null, address } = this.#client.peer;
    if (certificate === null || this.#services.trustedProxies.includes(address)) return null;
    return certificate;
  }

  get #ended(): boolean {
    return this.#state === 'ended';
  }

  /**
   * What was permitted is so no longer (the registry has changed), or has lasted too long (the gate
   * closes).
   */
  shutOut(reason: RefusalReason): void {
    if (this.#ended || this.#state === 'renewing') return;
    this.#guarded(() => this.#stop(reason));
  }

  /** Nothing more goes to the upstream, and the caller gets a refusal as far as one is possible. */
  #stop(reason: RefusalReason): void {
    // Of a tunnel that only has to go elsewhere nothing is lost that its client has sent.
    if (reason === 'draining' && this.#tunnel !== null) this.#forward?.finish();
    else this.#forward?.abort();
    if (this.#verdict === null) this.refuse(reason);
    else this.#replaceResponse(reason);
  }

  /**
   * Whether the call may go on: the lease under which it was permitted has not ended. Asked before
   * anything is passed on; when it may not, the call has ended, as by a change.
   *
   * @param nowMs monotonic clock, where it was looked at in this turn of the loop
   */
  #covered(nowMs?: number): boolean {
    if (this.#ended) return false;
    const verdict = this.#verdict;
    const bound = verdict?.permitted === true && verdict.account !== null;
    if (!bound || this.#services.openCalls.covered(nowMs)) return true;
    this.shutOut('registry-unavailable');
    return false;
  }

  // ── what a permit is for ──

  #startForward(permit: Permit): void {
    if (this.#gone !== null) {
      this.#end(this.#gone);
      return;
    }
    const head = this.#head!;
    const { verdicts } = this.#client;
    // What the gate itself responds to waits for the record, whatever the method.
    if (verdicts !== null) {
      if (!this.#awaitsRecord) this.#respondPermit(verdicts, permit, head);
      return;
    }
    if (head.method === 'OPTIONS' && goesNoFurther(head)) {
      if (!this.#awaitsRecord) this.#respondOptions(permit, head);
      return;
    }
    if (permit.route.action !== null) {
      if (!this.#awaitsRecord) this.#renewToken(permit, head);
      return;
    }
    // No connection to the upstream before there is something to send on it: nobody takes one by
    // a body that does not come.
    if (this.#state === 'awaiting-body') return;
    const isToCome = head.framing.kind !== 'none' && this.#held === null;
    if (isToCome && this.#waitsForBody(permit, head)) {
      this.#state = 'awaiting-body';
      this.#record.bodyAwaited();
      return;
    }
    this.#forwardTo(permit, head);
  }

  /**
   * Not where a call takes a stream alone: its upstream may be the one that speaks first, as in
   * gRPC.
   */
  #waitsForBody({ route }: Permit, { expectsContinue }: RequestHead): boolean {
    const streams = this.#services.upstreams.get(route.upstream)?.streams === true;
    return (expectsContinue || !streams) && !this.#client.awaitBody(expectsContinue);
  }

  #forwardTo(permit: Permit, head: RequestHead): void {
    const upstream = this.#services.upstreams.get(permit.route.upstream);
    if (upstream === undefined)
      throw new Error(`route ${permit.route.name} names an upstream that is not there`);
    if (!this.#isStillVouchedFor(permit, head)) {
      this.#replaceResponse('assertion-unavailable');
      return;
    }
    const { peer } = this.#client;
    const request = requestFor(upstream, permit, head, peer, this.#record, this.#services.via);
    this.#record.forwardedMs = this.#services.clock.monotonicMs();
    const account = permit.account?.account.id ?? null;
    if (permit.upgrade !== null && !this.#takeTunnel(permit.upgrade, account!)) {
      this.#replaceResponse('overloaded');
      return;
    }
    const forward = new Forward(upstream, request, account, this);
    this.#state = 'forwarding';
    this.#forward = forward;
    if (upstream.streams && head.framing.kind !== 'none' && this.#held === null)
      this.#client.streams();
    if (!forward.start(this.#awaitsRecord)) this.#replaceResponse('overloaded');
  }

  /** @returns false when the account has as many as it may */
  #takeTunnel(protocol: string, account: string): boolean {
    const { tunnels } = this.#services;
    if (!tunnels.take(account)) return false;
    this.#tunnel = new Tunnel(protocol, tunnels, account);
    return true;
  }

  /**
   * The token is exchanged once this was asked for, whatever becomes of the call: from here on
   * nothing but its client's going ends it before the response is there, least of all that the
   * token which it was made with counts no more. A body is not read, and ends the connection.
   */
  #renewToken(permit: Permit, head: RequestHead): void {
    const renewal = exchangeToken(this.#services.renewToken, permit, head);
    this.#services.openCalls.remove(this);
    this.#state = 'renewing';
    renewal.then(
      (done) => this.#guarded(() => this.#renewed(done, permit)),
      (error: unknown) => {
        if (!this.#ended) this.#state = 'recording';
        this.onFault(error);
      },
    );
  }

  #renewed(renewal: Renewal, permit: Permit): void {
    if (this.#ended) return;
    this.#state = 'recording';
    if (!renewal.renewed) this.#replaceResponse(renewal.reason);
    else this.#respond(renewedResponse(renewal, this.#record.id, permit.rate), permit, 'permitted');
  }

  // ── the request body, from the door ──

  /** Its first bytes are here, and were waited for. */
  onRequestBodyHere(): void {
    if (this.#state !== 'awaiting-body') return;
    this.#state = 'recording';
    this.#record.bodyCame();
    if (this.#replacement === null) this.#guarded(() => this.#startForward(this.permit));
  }

  onRequestBody(content: Buffer): void {
    if (!this.#covered()) return;
    this.#record.requestBytes += content.length;
    const { bodyBytes } = this.#services;
    if (bodyBytes > 0 && this.#record.requestBytes > bodyBytes && this.#tunnel === null) {
      this.#stop('body-too-large');
      return;
    }
    if (this.#state === 'collecting') {
      const fault = this.#held!.push(content);
      if (fault !== null) this.#stop(fault);
    } else {
      this.#forward?.sendBody(content);
    }
  }

  /** The end of what one read brought. */
  onRequestFlush(): void {
    if (this.#forward?.flushBody() === false) this.#client.pauseBody();
  }

  /** @param trailers fields behind the body, as received; null: none came */
  onRequestEnd(trailers: Trailers | null): void {
    if (this.#tunnel !== null) {
      this.#leaveTunnel(() => this.#client.end(null));
      return;
    }
    if (this.#state !== 'collecting') {
      this.#endBody(trailers);
      return;
    }
    this.#held!.trailers = trailers;
    this.#record.bodyCame();
    this.#guarded(() => this.begin());
  }

  #endBody(trailers: Trailers | null): void {
    if (this.#forward === null) return;
    this.#forward.endBody(trailers === null ? null : this.#passedOn(trailers));
  }

  #passedOn(trailers: Trailers): Fields | null {
    const upstream = this.#services.upstreams.get(this.permit.route.upstream)!;
    return requestTrailers(upstream, this.permit, this.#head!, trailers);
  }

  /** The client has ended its direction: what it has sent still reaches the upstream. */
  #leaveTunnel(word: () => void): void {
    if (this.#ended) return;
    this.#forward!.finish();
    this.#flushed(); // by the last word
    this.#end('permitted');
    this.#lastWord(word);
  }

  /**
   * The gate will close. A tunnel has no end of its own that could be waited for: it ends where
   * what its client was given does, or once that is so.
   */
  endTunnel(): void {
    if (this.#tunnel === null) return;
    this.#tunnel.draining = true;
    if (this.#state === 'begun' && this.#tunnel.atBoundary) this.shutOut('draining');
  }

  /**
   * The body is no valid body, or came too slowly: the upstream must not take what it got for the
   * whole.
   */
  onRequestFailed(reason: 'request-malformed' | 'request-timeout'): void {
    if (!this.#ended && this.#state !== 'renewing') this.#stop(reason);
  }

  /**
   * The client has gone, or was cut off: the upstream learns it, and the call is over once it is
   * recorded.
   */
  onClientGone(why: Gone = 'client-aborted'): void {
    if (this.#ended) return;
    this.#gone = why;
    if (this.#tunnel !== null && this.#state === 'begun') this.#forward?.finish();
    else this.#forward?.abort();
    if (this.#state === 'collecting') {
      this.#guarded(() => this.#refuseIncomplete(why));
      return;
    }
    // Still being decided, or not yet on record: what is waited for ends the call.
    if (this.#verdict === null || this.#awaitsRecord) return;
    this.#end(why);
  }

  onClientDrain(): void {
    this.#forward?.resume();
  }

  // ── the response, from the upstream ──

  /** A connection takes the request's body. */
  onConnected(): void {
    // At every try: the same bytes.
    if (this.#held !== null) {
      this.#forward!.sendBody(this.#held.bytes);
      this.#endBody(this.#held.trailers);
      return;
    }
    // What came together goes on together: the head waits for the first bytes of its body, if they
    // are here.
    const follows = this.#client.resumeBody();
    if (!follows && !this.#ended) this.onRequestFlush();
  }

  /** It takes more of it; of a tunnel nothing before it has agreed to one. */
  onDrain(): void {
    if (this.#tunnel !== null && this.#state === 'forwarding') return;
    this.#client.resumeBody();
  }

  onInterim(head: ResponseHead): void {
    // 100 was said by us, when the call was permitted (RFC 9110 §10.1.1).
    if (!this.#covered() || head.status === 100) return;
    const shown = this.#shown(head);
    this.#client.interim(shown, interimFields(shown));
  }

  #shown(received: ResponseHead): ResponseHead {
    const { address } = this.#record;
    return withPublicLinks(received, this.permit.route, this.#head!, address, this.#client.peer);
  }

  onHead(received: ResponseHead): void {
    // In HTTP/2 a client would take it for a tunnel (RFC 8441 §5).
    const { status } = received;
    if (this.#tunnel !== null && this.#head!.version === '2' && status >= 200 && status < 300) {
      this.#stop('upstream-broken');
      return;
    }
    this.#state = 'responding';
    this.#nominated = received.nominated;
    this.#dropBody();
    this.#headMs = this.#record.answered(received.status);
    const shown = this.#shown(received);
    const { via, serverTiming } = this.#services;
    const fields = finalFields(shown, this.permit, this.#head!, this.#record.id, via);
    if (serverTiming && this.permit.account !== null) addTiming(fields, this.#record);
    if (received.status === 101) this.#client.tunnel(shown, fields);
    else this.#client.head(shown, fields);
  }

  onBody(content: Buffer): void {
    this.#gatheredBytes += content.length;
    if (this.#tunnel !== null) this.#tunnel.push(content);
    this.#client.body(content);
  }

  flush(): boolean {
    if (!this.#covered()) return true;
    this.#headMs = undefined;
    const more = this.#client.flush();
    this.#flushed();
    if (this.#tunnel?.draining === true) this.endTunnel();
    return more;
  }

  /** What was gathered is the socket's: from now on the client has seen it, as far as we know. */
  #flushed(): void {
    if (this.#state === 'responding') this.#state = 'begun';
    if (this.#state !== 'begun') return;
    this.#record.given(this.#gatheredBytes);
    this.#gatheredBytes = 0;
    if (this.#tunnel !== null) this.#tunnel.flushed();
  }

  onEnd(trailers: Trailers | null): void {
    if (!this.#covered(this.#headMs)) return;
    const passed = trailers === null ? null : passedTrailers(trailers, this.#nominated, null);
    this.#flushed(); // by the last word
    this.#end('permitted');
    this.#lastWord(() => this.#client.end(passed));
  }

  onFailure(failure: UpstreamFailure): void {
    if (failure.kind === 'exhausted') {
      this.#services.exhausted(failure.detail);
    } else {
      const upstream = this.#verdict?.route?.upstream;
      this.#services.log.warn('upstream failed', {
        requestId: this.#record.id,
        upstream,
        ...failure,
      });
    }
    this.#replaceResponse(UPSTREAM_REASONS[failure.kind]);
  }

  // ── responses of our own ──

  /**
   * Our refusal in place of the upstream's response: as a whole one if nothing was given to the
   * client's socket yet, as a broken one otherwise.
   */
  #replaceResponse(reason: RefusalReason): void {
    if (this.#awaitsRecord) this.#replacement = reason;
    else this.#respondRefusal(reason);
  }

  #respondRefusal(reason: RefusalReason): void {
    const verdict = this.#verdict!;
    if (this.#state === 'begun') {
      const last = this.#record.status === 101 ? this.#tunnel!.lastWord(reason) : null;
      this.#end(reason);
      if (last === null) this.#client.cut();
      else this.#lastWord(() => this.#client.lastBytes(last));
    } else if (this.#gone !== null) {
      this.#end(this.#gone);
    } else {
      const { format } = this.#services;
      const { verdicts } = this.#client;
      const own =
        verdicts === null
          ? refusalOf(verdict, reason, this.#record.id, format)
          : verdicts.refused(verdict, reason, this.#record.id, format);
      this.#respond(own, verdict, reason);
    }
  }

  #respondPermit(verdicts: VerdictWords, permit: Permit, head: RequestHead): void {
    if (!this.#isStillVouchedFor(permit, head)) {
      this.#replaceResponse('assertion-unavailable');
      return;
    }
    const text = this.#record.assertion?.text ?? null;
    this.#respond(verdicts.permitted(permit, this.#record.id, text), permit, 'permitted');
  }

  /** RFC 9110 §7.6.2, §9.3.7: the gate is the last to be asked. */
  #respondOptions(permit: Permit, head: RequestHead): void {
    const allow =
      permit.route === WHOLE_SERVER
        ? SERVER_METHODS
        : this.#services.decider.table.allowed(head.host, head.path);
    this.#respond(optionsResponse(this.#record.id, allow, permit.rate), permit, 'permitted');
  }

  #respondPreflight({ route }: Permit, method: string): void {
    const fields = preflightFields(route, this.#head!, method);
    this.#respond(preflightResponse(this.#record.id, fields), null, 'permitted');
  }

  /** @param verdict says who may read it in a browser; null: it says so itself */
  #respond(own: OwnResponse, verdict: Verdict | null, reason: Reason): void {
    if (verdict !== null && this.#head !== null)
      addCorsOf(own.fields, verdict.route, this.#head, this.#services.decider.table);
    this.#record.status = own.status;
    if (reason === 'permitted') this.#record.responseBytes = Buffer.byteLength(own.body);
    this.#end(reason);
    this.#lastWord(() => this.#client.own(own));
  }

  /** The call is over already; a client that cannot be told so must not wait for it. */
  #lastWord(word: () => void): void {
    try {
      word();
    } catch (error) {
      this.#logFault(error);
      this.#client.cut();
    }
  }

  #dropBody(): void {
    this.#held?.release();
    this.#held = null;
  }

  /** The one end of every call. Whose end cannot be written down, its client is cut off. */
  #end(reason: Reason): void {
    if (this.#ended) return;
    this.#state = 'ended';
    this.#dropBody();
    if (this.#tunnel !== null) this.#tunnel.close();
    this.#services.openCalls.remove(this);
    try {
      this.#record.ended(this.#verdict!, reason);
    } catch (error) {
      this.#client.cut(); // whoever hears of an ended call's fault tells the client nothing
      throw error;
    }
  }
}

/** Of OPTIONS: it is about the gate itself, or no server may pass it on any more. */
function goesNoFurther({ path, names, values }: RequestHead): boolean {
  return path === '*' || maxForwards(names, values) === 0;
}

const NO_NAMES: readonly string[] = [];

/** In place of a permit. */
const NOT_VOUCHED_FOR = {
  permitted: false,
  reason: 'assertion-unavailable',
  allow: [],
  detail: null,
} as const;

/** Of a body by which would have been decided. */
const INCOMPLETE = 'the connection ended before the body did';

/** How often a decision is reached anew because the registry changed under it. */
const DECISION_TRIES = 3;
