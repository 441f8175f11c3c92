import type { Origin } from '../decision/origin.ts';
import type { Permit, Verdict } from '../decision/verdict.ts';
import { addCorsOf } from '../forwarding/cors-fields.ts';
import type { Forward } from '../forwarding/forward.ts';
import { certificateOf } from '../http/client-address.ts';
import type { OwnResponse } from '../http/outgoing.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { Reason, RefusalReason } from '../refusal.ts';
import type { HeldBody } from './held-body.ts';
import type { OpenCall } from './open-calls.ts';
import { refusalTo } from './own-responses.ts';
import type { CallClient, CallServices } from './port.ts';
import { CallRecord } from './record.ts';
import type { CallState, Gone } from './state.ts';
import type { Tunnel } from './tunnel/tunnel.ts';

/**
 * What is known of a call, and how it ends, wherever it stands: by its whole response, by one of
 * our own, or broken off. What happens until then, in its order, is in call.ts.
 */
export abstract class EndingCall implements OpenCall {
  protected readonly services: CallServices;
  protected readonly client: CallClient;
  readonly head: RequestHead | null;
  protected readonly record: CallRecord;

  protected state: CallState = 'deciding';
  protected verdict: Verdict | null = null;
  /** The log has not said yet whether it has the decision. */
  protected awaitsRecord = false;
  protected forward: Forward | null = null;
  /**
   * A refusal that takes the place of the upstream's response, and waits for the record like it.
   */
  protected replacement: RefusalReason | null = null;
  /** The body by which is decided, until an upstream has responded. */
  protected held: HeldBody | null = null;
  /** It becomes one once its upstream agrees, or is one. */
  protected tunnel: Tunnel | null = null;
  /** Why nobody can be given a response any more. */
  protected gone: Gone | null = null;
  /** The list's own (`OpenCalls`). */
  place = -1;

  /**
   * @param head null when what came could not be read as a request: then only `refuse` may follow
   */
  constructor(services: CallServices, client: CallClient, head: RequestHead | null) {
    this.services = services;
    this.client = client;
    this.head = head;
    this.record = new CallRecord(services, head, client);
  }

  /** Refuses without asking the decision. Recorded like every refusal. */
  abstract refuse(reason: RefusalReason): void;

  get permit(): Permit {
    return this.verdict as Permit;
  }

  get origin(): Origin {
    const { services, client, record } = this;
    return {
      address: record.address.address,
      certificate: certificateOf(client.peer, services.trustedProxies),
    };
  }

  protected get ended(): boolean {
    return this.state === 'ended';
  }

  // ── what ends it before its time ──

  /**
   * A fault of ours. The client gets 500 if nothing was sent yet, a broken response otherwise.
   * Never throws.
   */
  onFault(error: unknown): void {
    this.#logFault(error);
    if (this.ended) return;
    try {
      this.stop('internal-fault');
    } catch (second) {
      this.#logFault(second);
      this.lastWord(() => this.end('internal-fault'));
      this.client.cut();
    }
  }

  #logFault(error: unknown): void {
    this.services.log.error('a call failed inside the gate', { requestId: this.record.id, error });
  }

  protected guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.onFault(error);
    }
  }

  /**
   * What was permitted is so no longer (the registry has changed), or has lasted too long (the gate
   * closes).
   */
  shutOut(reason: RefusalReason): void {
    if (this.ended || this.state === 'renewing') return;
    this.guarded(() => this.stop(reason));
  }

  /** Nothing more goes to the upstream, and the caller gets a refusal as far as one is possible. */
  protected stop(reason: RefusalReason): void {
    // Of a tunnel that only has to go elsewhere nothing is lost that its client has sent.
    if (reason === 'draining' && this.tunnel !== null) this.forward?.finish();
    else this.forward?.abort();
    if (this.verdict === null) this.refuse(reason);
    else this.replaceResponse(reason);
  }

  /**
   * Whether the call may go on: the lease under which it was permitted has not ended. Asked before
   * anything is passed on; when it may not, the call has ended, as by a change.
   *
   * @param nowMs monotonic clock, where it was looked at in this turn of the loop
   */
  protected covered(nowMs?: number): boolean {
    if (this.ended) return false;
    const { verdict } = this;
    const bound = verdict?.permitted === true && verdict.account !== null;
    if (!bound || this.services.openCalls.covered(nowMs)) return true;
    this.shutOut('registry-unavailable');
    return false;
  }

  // ── responses of our own ──

  /**
   * Our refusal in place of the upstream's response: as a whole one if nothing was given to the
   * client's socket yet, as a broken one otherwise.
   */
  protected replaceResponse(reason: RefusalReason): void {
    if (this.awaitsRecord) this.replacement = reason;
    else this.respondRefusal(reason);
  }

  protected respondRefusal(reason: RefusalReason): void {
    const verdict = this.verdict!;
    if (this.state === 'begun') this.#breakOff(reason);
    else if (this.gone !== null) this.end(this.gone);
    else
      this.respond(
        refusalTo(this.client, this.services, verdict, reason, this.record.id),
        verdict,
        reason,
      );
  }

  /** Of a response the client has seen some already. */
  #breakOff(reason: RefusalReason): void {
    const last = this.record.status === 101 ? this.tunnel!.lastWord(reason) : null;
    this.end(reason);
    if (last === null) this.client.cut();
    else this.lastWord(() => this.client.lastBytes(last));
  }

  /** @param verdict says who may read it in a browser; null: it says so itself */
  protected respond(own: OwnResponse, verdict: Verdict | null, reason: Reason): void {
    if (verdict !== null && this.head !== null)
      addCorsOf(own.fields, verdict.route, this.head, this.services.decider.table);
    this.record.status = own.status;
    if (reason === 'permitted') this.record.responseBytes = Buffer.byteLength(own.body);
    this.end(reason);
    this.lastWord(() => this.client.own(own));
  }

  // ── the end ──

  /** The call is over already; a client that cannot be told so must not wait for it. */
  protected lastWord(word: () => void): void {
    try {
      word();
    } catch (error) {
      this.#logFault(error);
      this.client.cut();
    }
  }

  protected dropBody(): void {
    this.held?.release();
    this.held = null;
  }

  /** The one end of every call. Whose end cannot be written down, its client is cut off. */
  protected end(reason: Reason): void {
    if (this.ended) return;
    this.state = 'ended';
    this.dropBody();
    if (this.tunnel !== null) this.tunnel.close();
    this.services.openCalls.remove(this);
    try {
      this.record.ended(this.verdict!, reason);
    } catch (error) {
      this.client.cut(); // whoever hears of an ended call's fault tells the client nothing
      throw error;
    }
  }
}
