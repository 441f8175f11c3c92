import type { AcceptanceWaiter, Taken } from '../audit/port.ts';
import { readCredential } from '../decision/credential.ts';
import type { Decision } from '../decision/decide.ts';
import { type BodyWish, NOTHING_FOUND, type Permit, type Verdict } from '../decision/verdict.ts';
import { SERVER_METHODS, WHOLE_SERVER } from '../decision/whole-server.ts';
import { addCors, preflightFields } from '../forwarding/cors-fields.ts';
import { rulesFor } from '../forwarding/field-rules.ts';
import { type AnswerSink, Forward } from '../forwarding/forward.ts';
import { calledBy, withPublicOrigin } from '../forwarding/public-origin.ts';
import { upstreamRequest } from '../forwarding/request-fields.ts';
import { clientFields, interimFields } from '../forwarding/response-fields.ts';
import type { Fields } from '../http/fields.ts';
import { maxForwards } from '../http/max-forwards.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { Reason, RefusalReason } from '../refusal.ts';
import type { UpstreamFailure } from '../upstream/port.ts';
import { HeldBody } from './held-body.ts';
import type { OpenCall } from './open-calls.ts';
import { addRate, optionsResponse, preflightResponse, refusalResponse } from './own-response.ts';
import type { CallClient, CallServices } from './port.ts';
import { CallRecord } from './record.ts';
import { type Renewal, renewedResponse } from './renewal.ts';

/**
 * One call, from its head to its last byte, in the order in which it happens:
 *
 * ```
 *   decide ─▶ record the decision ─▶ [wait until the record is accepted] ─▶ forward ─▶ answer ─▶ record the outcome
 *     │                                                │
 *     └─ refusal ─▶ record ─▶ [wait] ─▶ refuse         └─ not accepted: 503, and nothing is given out
 * ```
 *
 * Under the `acknowledged` guarantee refusals and unsafe methods wait before anything goes
 * anywhere; safe methods go upstream at once and only their answer waits. Whatever happens, exactly
 * one decision is recorded (or counted once, when it is one of a flood of refusals), and exactly one
 * outcome for every permit, and for every refusal that its caller did not get as it was decided.
 * Where there is no room for the decision there is no record: nothing goes anywhere, the answer is
 * 503, and it is counted.
 */
export class Call implements AcceptanceWaiter, AnswerSink, OpenCall {
  readonly #services: CallServices;
  readonly #client: CallClient;
  readonly #head: RequestHead | null;
  readonly #record: CallRecord;

  #verdict: Verdict | null = null;
  #acceptance: 'none' | 'pending' | 'accepted' = 'none';
  #forward: Forward | null = null;
  /** A refusal that replaces the upstream's answer, and waits for the record like it. */
  #replacement: RefusalReason | null = null;
  /** Nothing goes upstream before the first bytes of the request's body are here. */
  #awaitsBody = false;
  /** The body decides: what is known until it is here. */
  #wish: BodyWish | null = null;
  #collecting = false;
  /** The body by which was decided, until an upstream has answered. */
  #held: HeldBody | null = null;
  /** The upstream's answer: its head is given to the client's door, or to the client's socket. */
  #answer: 'none' | 'gathered' | 'begun' = 'none';
  /** Content that the door was given and that has not been given to the socket. */
  #gatheredBytes = 0;
  #ended = false;
  /** The token of the caller is being exchanged. */
  #renews = false;
  /** Monotonic clock, when the head came, until something was given to the client. */
  #headMs: number | undefined;
  /** Why nobody can be answered any more. */
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
    this.#record = new CallRecord(services, head, client.peer);
  }

  /** Decides and goes on from there. */
  begin(triesLeft = DECISION_TRIES): void {
    const decision = this.#services.decider.decide(
      this.#head!,
      this.#client.peer,
      this.#record.address.address,
      this.#held?.bytes,
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
  #decidedLate(verdict: Decision, triesLeft: number): void {
    if (this.#verdict !== null) return; // refused meanwhile, for another reason
    if (verdict.permitted === null) this.#collect(verdict);
    else if (!verdict.permitted || this.#services.openCalls.stands(verdict)) this.#judged(verdict);
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
    this.#collecting = true;
    this.#record.bodyAwaited();
    this.#client.awaitBody(this.#head!.expectsContinue);
    this.#client.resumeBody();
  }

  /** Of what still comes nothing is taken. */
  #stopCollecting(): void {
    this.#collecting = false;
    if (this.#gone === null) this.#client.pauseBody();
  }

  /** Nobody will know what it was about. */
  #refuseIncomplete(why: Gone): void {
    this.refuse(why === 'draining' ? 'draining' : 'request-malformed', INCOMPLETE);
  }

  /**
   * Refuses without asking the decision: what a door found out by itself. Recorded like every
   * refusal.
   */
  refuse(reason: RefusalReason, detail: string | null = null): void {
    const found = this.#wish?.found ?? NOTHING_FOUND;
    this.#judged({ ...found, permitted: false, reason, allow: [], detail });
  }

  /**
   * @param exposedAccountId whose token was seen in the clear; null = none was
   * @param detail what else was wrong with the request
   */
  refusePlaintext(exposedAccountId: string | null, detail: string | null = null): void {
    this.#record.exposed = exposedAccountId !== null;
    const found = { ...NOTHING_FOUND, claimedAccountId: exposedAccountId };
    this.#judged({
      ...found,
      permitted: false,
      reason: 'plaintext-refused',
      allow: [],
      detail,
    });
  }

  /**
   * A fault of ours. The client gets 500 if nothing was sent yet, a broken answer otherwise. Never
   * throws.
   */
  onFault(error: unknown): void {
    this.#services.log.error('a call failed inside the gate', {
      requestId: this.#record.id,
      error,
    });
    if (this.#ended) return;
    try {
      this.#stop('internal-fault');
    } catch (second) {
      this.#services.log.error('a call failed inside the gate', {
        requestId: this.#record.id,
        error: second,
      });
      this.#lastWord(() => this.#end('internal-fault'));
      this.#client.cut();
    }
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

  /**
   * What was permitted is so no longer (the registry has changed), or has lasted too long (the gate
   * closes).
   */
  shutOut(reason: RefusalReason): void {
    if (this.#ended || this.#renews) return;
    this.#guarded(() => this.#stop(reason));
  }

  /** Nothing more goes to the upstream, and the caller gets a refusal as far as one is possible. */
  #stop(reason: RefusalReason): void {
    this.#forward?.abort();
    if (this.#verdict === null) this.refuse(reason);
    else this.#replaceAnswer(reason);
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

  #judged(verdict: Verdict): void {
    this.#verdict = verdict;
    if (this.#collecting) this.#stopCollecting();
    // In the same turn in which it was reached: no change can come between the verdict and the list
    // of those whom changes concern.
    if (verdict.permitted && verdict.account !== null) this.#opened(verdict, verdict.account);
    // One of a flood: counted, and nothing to wait for.
    if (this.#isFolded(verdict)) {
      this.#proceed();
      return;
    }
    const waits =
      this.#services.guarantee === 'acknowledged' && verdict.route?.audit !== 'best-effort';
    if (waits) this.#acceptance = 'pending';
    let taken: Taken;
    try {
      taken = this.#record.decision(verdict, waits ? this : null);
    } catch (error) {
      this.#acceptance = 'none'; // nobody will tell us about what could not be written down
      throw error;
    }
    // Already answered: then everything has happened.
    if (this.#ended || (waits && this.#acceptance !== 'pending')) return;
    // It waits in vain, and is told so once this turn is over: nothing goes upstream for that.
    if (waits && taken !== 'kept') return;
    const forwards = verdict.permitted && verdict.preflight === null;
    if (forwards && !(waits && verdict.unsafe)) this.#startForward(verdict);
    else if (!waits) this.#proceed();
  }

  #isFolded(verdict: Verdict): boolean {
    // Of what is let in only preflights can be: strangers make as many as they like of them.
    if (verdict.permitted && verdict.preflight === null) return false;
    const reason = verdict.permitted ? 'permitted' : verdict.reason;
    const account = verdict.account?.account ?? null;
    return this.#services.floods.folds(this.#record.address.address, reason, account);
  }

  #opened(permit: Permit, account: NonNullable<Permit['account']>): void {
    const { openCalls, uses, clock } = this.#services;
    openCalls.add(this);
    uses.note(
      account.account.id,
      permit.tokenId ?? '',
      clock.wallMs(),
      this.#record.address.address,
    );
  }

  /** The log has the decision. */
  accepted(): void {
    if (this.#ended) return;
    this.#acceptance = 'accepted';
    this.#guarded(() => this.#proceed());
  }

  /** The log could not take the decision in time: nothing is given out that was not recorded. */
  notAccepted(): void {
    if (this.#ended) return;
    // as far as it will ever be: the refusal below must not wait for it
    this.#acceptance = 'accepted';
    this.#guarded(() => {
      this.#forward?.abort();
      this.#answerRefusal('audit-unavailable');
    });
  }

  /** What waited for the record goes on. */
  #proceed(): void {
    const verdict = this.#verdict!;
    if (!verdict.permitted) this.#answerRefusal(verdict.reason);
    else if (this.#gone !== null) this.#end(this.#gone);
    else if (this.#replacement !== null) this.#answerRefusal(this.#replacement);
    else if (verdict.preflight !== null) this.#answerPreflight(verdict, verdict.preflight);
    else if (this.#forward !== null) this.#release(this.#forward);
    else if (this.#covered()) this.#startForward(verdict);
  }

  #release(forward: Forward): void {
    this.#record.heldSinceMs = forward.heldSinceMs;
    forward.release();
  }

  #startForward(permit: Permit): void {
    if (this.#gone !== null) {
      this.#end(this.#gone);
      return;
    }
    const head = this.#head!;
    if (head.method === 'OPTIONS' && goesNoFurther(head)) {
      if (this.#acceptance !== 'pending') this.#answerOptions(permit, head);
      return;
    }
    if (permit.route.action !== null) {
      this.#renewToken(permit, head);
      return;
    }
    // No connection to the upstream before there is something to send on it: nobody takes one by
    // a body that does not come.
    if (this.#awaitsBody) return;
    const isToCome = head.framing.kind !== 'none' && this.#held === null;
    if (isToCome && !this.#client.awaitBody(head.expectsContinue)) {
      this.#awaitsBody = true;
      this.#record.bodyAwaited();
      return;
    }
    const upstream = this.#services.upstreams.get(permit.route.upstream);
    if (upstream === undefined)
      throw new Error(`route ${permit.route.name} names an upstream that is not there`);
    const request = upstreamRequest({
      head,
      permit,
      peer: this.#client.peer,
      client: this.#record.address,
      trace: this.#record.trace!,
      requestId: this.#record.id,
      rules: upstream.fields === null ? null : rulesFor(upstream.fields, permit.route.name),
      host: upstream.host,
      authority: upstream.authority,
      gate: this.#services.via,
    });
    this.#record.forwardedMs = this.#services.clock.monotonicMs();
    const account = permit.account?.account.id ?? null;
    const forward = new Forward(upstream, request, account, this);
    this.#forward = forward;
    if (!forward.start(this.#acceptance === 'pending')) this.#replaceAnswer('overloaded');
  }

  /**
   * The token is exchanged once this was asked for, whatever becomes of the call: from here on
   * nothing but its client's going ends it before the answer is there, least of all that the token
   * which it was made with counts no more. A body is not read, and ends the connection.
   */
  #renewToken(permit: Permit, head: RequestHead): void {
    const { renewToken, openCalls } = this.#services;
    const credential = readCredential(head.authorization, permit.route);
    if (renewToken === null || credential.presented !== 'token' || permit.account === null)
      throw new Error(`route ${permit.route.name} cannot exchange tokens here`);
    openCalls.remove(this);
    this.#renews = true;
    renewToken(permit.account.account, credential.token).then(
      (renewal) => this.#guarded(() => this.#renewed(renewal, permit)),
      (error: unknown) => {
        this.#renews = false;
        this.onFault(error);
      },
    );
  }

  #renewed(renewal: Renewal, permit: Permit): void {
    this.#renews = false;
    if (this.#ended) return;
    if (!renewal.renewed) {
      this.#replaceAnswer(renewal.reason);
      return;
    }
    const own = renewedResponse(renewal, this.#record.id, permit.rate);
    this.#addCors(own.fields, permit);
    this.#record.status = own.status;
    this.#record.responseBytes = Buffer.byteLength(own.body);
    this.#end('permitted');
    this.#lastWord(() => this.#client.own(own));
  }

  /** RFC 9110 §7.6.2, §9.3.7: the gate is the last to be asked. */
  #answerOptions(permit: Permit, head: RequestHead): void {
    const allow =
      permit.route === WHOLE_SERVER
        ? SERVER_METHODS
        : this.#services.decider.table.allowed(head.host, head.path);
    const own = optionsResponse(this.#record.id, allow, permit.rate);
    this.#addCors(own.fields, permit);
    this.#record.status = own.status;
    this.#end('permitted');
    this.#lastWord(() => this.#client.own(own));
  }

  // ── the request body, from the door ──

  /** Its first bytes are here, and were waited for. */
  onRequestBodyHere(): void {
    if (this.#ended || !this.#awaitsBody) return;
    this.#awaitsBody = false;
    this.#record.bodyCame();
    if (this.#replacement === null) this.#guarded(() => this.#startForward(this.permit));
  }

  onRequestBody(content: Buffer): void {
    if (!this.#covered()) return;
    this.#record.requestBytes += content.length;
    const { bodyBytes } = this.#services;
    if (bodyBytes > 0 && this.#record.requestBytes > bodyBytes) {
      this.#stop('body-too-large');
      return;
    }
    if (this.#collecting) {
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

  onRequestEnd(): void {
    if (!this.#collecting) {
      this.#forward?.endBody();
      return;
    }
    this.#collecting = false;
    this.#record.bodyCame();
    this.#guarded(() => this.begin());
  }

  /**
   * The body is no valid body, or came too slowly: the upstream must not take what it got for the
   * whole.
   */
  onRequestFailed(reason: 'request-malformed' | 'request-timeout'): void {
    if (!this.#ended) this.#stop(reason);
  }

  /**
   * The client has gone, or was cut off: the upstream learns it, and the call is over once it is
   * recorded.
   */
  onClientGone(why: Gone = 'client-aborted'): void {
    if (this.#ended) return;
    this.#gone = why;
    this.#forward?.abort();
    if (this.#collecting) {
      this.#guarded(() => this.#refuseIncomplete(why));
      return;
    }
    // Still being decided, or not yet on record: what is waited for ends the call.
    if (this.#verdict === null || this.#acceptance === 'pending') return;
    this.#end(why);
  }

  onClientDrain(): void {
    this.#forward?.resume();
  }

  // ── the answer, from the upstream ──

  onUpstreamReady(): void {
    // At every try: the same bytes.
    if (this.#held !== null) {
      this.#forward!.sendBody(this.#held.bytes);
      this.#forward!.endBody();
      return;
    }
    // What came together goes on together: the head waits for the first bytes of its body, if they
    // are here.
    const follows = this.#client.resumeBody();
    if (!follows && !this.#ended) this.onRequestFlush();
  }

  onUpstreamDrain(): void {
    this.#client.resumeBody();
  }

  onInformational(head: ResponseHead): void {
    if (!this.#covered()) return;
    // 100 was said by us, when the call was permitted (RFC 9110 §10.1.1).
    if (head.status === 100) return;
    const shown = this.#withPublicLinks(head);
    this.#client.interim(shown, interimFields(shown));
  }

  #withPublicLinks(head: ResponseHead): ResponseHead {
    const { rewriteOrigin } = this.permit.route;
    if (rewriteOrigin.length === 0) return head;
    const called = calledBy(this.#record.address, this.#head!, this.#client.peer.secure);
    return withPublicOrigin(head, rewriteOrigin, called);
  }

  onHead(received: ResponseHead): void {
    this.#answer = 'gathered';
    this.#dropBody();
    this.#headMs = this.#record.answered(received.status);
    const head = this.#withPublicLinks(received);
    const { rate, route } = this.permit;
    const { cors } = route;
    const fields = clientFields(head, this.#record.id, this.#services.via, cors !== null);
    addRate(fields, rate);
    if (cors !== null) addCors(fields, cors, this.#head!);
    this.#client.head(head, fields);
  }

  onBody(content: Buffer): void {
    this.#gatheredBytes += content.length;
    this.#client.body(content);
  }

  flush(): boolean {
    if (!this.#covered()) return true;
    this.#headMs = undefined;
    const more = this.#client.flush();
    this.#flushed();
    return more;
  }

  /** What was gathered is the socket's: from now on the client has seen it, as far as we know. */
  #flushed(): void {
    if (this.#answer === 'none') return;
    this.#answer = 'begun';
    this.#record.given(this.#gatheredBytes);
    this.#gatheredBytes = 0;
  }

  onEnd(): void {
    if (!this.#covered(this.#headMs)) return;
    this.#flushed(); // by the last word
    this.#end('permitted');
    this.#lastWord(() => this.#client.end());
  }

  onFailure(failure: UpstreamFailure): void {
    const { id } = this.#record;
    const upstream = this.#verdict?.route?.upstream;
    if (failure.kind === 'exhausted') {
      this.#services.exhausted(failure.detail);
    } else {
      this.#services.log.warn('upstream failed', { requestId: id, upstream, ...failure });
    }
    this.#replaceAnswer(UPSTREAM_REASONS[failure.kind]);
  }

  /**
   * Our refusal in place of the upstream's answer: as a whole answer if nothing was given to the
   * client's socket yet, as a broken one otherwise.
   */
  #replaceAnswer(reason: RefusalReason): void {
    if (this.#acceptance === 'pending') this.#replacement = reason;
    else this.#answerRefusal(reason);
  }

  #answerRefusal(reason: RefusalReason): void {
    const verdict = this.#verdict!;
    if (this.#answer === 'begun') {
      this.#end(reason);
      this.#client.cut();
    } else if (this.#gone !== null) {
      this.#end(this.#gone);
    } else {
      const allow = verdict.permitted ? [] : verdict.allow;
      const errors = verdict.route?.errors ?? this.#services.format.errors;
      const acceptsBasic = verdict.route?.acceptBasic ?? false;
      const isOwn = !verdict.permitted && verdict.reason === reason;
      const own = refusalResponse(
        reason,
        this.#record.id,
        { ...this.#services.format, errors, acceptsBasic },
        allow,
        verdict.rate,
        isOwn ? verdict.detail : null,
      );
      this.#addCors(own.fields, verdict);
      this.#record.status = own.status;
      this.#end(reason);
      this.#lastWord(() => this.#client.own(own));
    }
  }

  /**
   * What a refusal tells the browser that it came to, so that the page may read it: also where the
   * refusal came before the match.
   */
  #addCors(fields: Fields, { route }: Verdict): void {
    const head = this.#head;
    if (head === null) return;
    const { table } = this.#services.decider;
    if (route !== null) {
      if (route.cors !== null) addCors(fields, route.cors, head);
      return;
    }
    if (!table.answersPreflights) return;
    const match = table.match(head.host, head.path, head.method);
    if (match.kind === 'route' && match.route.cors !== null)
      addCors(fields, match.route.cors, head);
  }

  #answerPreflight({ route }: Permit, method: string): void {
    const fields = preflightFields(route, this.#head!, method);
    const own = preflightResponse(this.#record.id, fields);
    this.#record.status = own.status;
    this.#end('permitted');
    this.#lastWord(() => this.#client.own(own));
  }

  /** The call is over already; a client that cannot be told so must not wait for it. */
  #lastWord(word: () => void): void {
    try {
      word();
    } catch (error) {
      this.#services.log.error('a call failed inside the gate', {
        requestId: this.#record.id,
        error,
      });
      this.#client.cut();
    }
  }

  #dropBody(): void {
    this.#held?.release();
    this.#held = null;
  }

  /** The one end of every call. */
  #end(reason: Reason): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#dropBody();
    this.#services.openCalls.remove(this);
    this.#record.ended(this.#verdict!, reason);
  }
}

/** Of OPTIONS: it is about the gate itself, or no server may pass it on any more. */
function goesNoFurther({ path, names, values }: RequestHead): boolean {
  return path === '*' || maxForwards(names, values) === 0;
}

/** Reasons for which an answer reaches nobody: the client left, or the gate closed before it. */
type Gone = 'client-aborted' | 'draining';

/** Of a body by which would have been decided. */
const INCOMPLETE = 'the connection ended before the body did';

/** How often a decision is reached anew because the registry changed under it. */
const DECISION_TRIES = 3;

const UPSTREAM_REASONS = {
  unreachable: 'upstream-unreachable',
  exhausted: 'overloaded',
  broken: 'upstream-broken',
  timeout: 'upstream-timeout',
} as const satisfies Record<UpstreamFailure['kind'], RefusalReason>;
