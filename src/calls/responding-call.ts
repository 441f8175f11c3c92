import { interimFields } from '../forwarding/response-fields.ts';
import { passedTrailers } from '../forwarding/trailer-fields.ts';
import type { Fields } from '../http/fields.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { Trailers } from '../http/trailers.ts';
import type { UpstreamFailure } from '../upstream/port.ts';
import { EndingCall } from './ending-call.ts';
import { addTiming, finalFields, withPublicLinks } from './passed-on.ts';
import { UPSTREAM_REASONS } from './state.ts';

/** The response of a call's upstream on its way to the client; of a tunnel, what comes through. */
export abstract class RespondingCall extends EndingCall {
  /** What the response's `Connection` names: not passed on behind its content either. */
  #nominated: readonly string[] = NO_NAMES;
  /** Content that the door was given and that has not been given to the socket. */
  #gatheredBytes = 0;
  /** Monotonic clock, when the head came, until something was given to the client. */
  #headMs: number | undefined;

  onInterim(head: ResponseHead): void {
    // 100 was said by us, when the call was permitted (RFC 9110 §10.1.1).
    if (!this.covered() || head.status === 100) return;
    const shown = this.#shown(head);
    this.client.interim(shown, interimFields(shown));
  }

  #shown(received: ResponseHead): ResponseHead {
    const { address } = this.record;
    return withPublicLinks(received, this.permit.route, this.head!, address, this.client.peer);
  }

  onHead(received: ResponseHead): void {
    // In HTTP/2 a client would take it for a tunnel (RFC 8441 §5).
    const { status } = received;
    if (this.tunnel !== null && this.head!.version === '2' && status >= 200 && status < 300) {
      this.stop('upstream-broken');
      return;
    }
    this.state = 'responding';
    this.#nominated = received.nominated;
    this.dropBody();
    this.#headMs = this.record.answered(status);
    const shown = this.#shown(received);
    const { via, serverTiming } = this.services;
    const fields = finalFields(shown, this.permit, this.head!, this.record.id, via);
    if (serverTiming && this.permit.account !== null) addTiming(fields, this.record);
    if (status === 101) this.client.tunnel(shown, fields);
    else this.client.head(shown, fields);
  }

  onBody(content: Buffer): void {
    this.#gatheredBytes += content.length;
    if (this.tunnel !== null) this.tunnel.push(content);
    this.client.body(content);
  }

  flush(): boolean {
    if (!this.covered()) return true;
    this.#headMs = undefined;
    const more = this.client.flush();
    this.#flushed();
    if (this.tunnel?.draining === true) this.endTunnel();
    return more;
  }

  /** What was gathered is the socket's: from now on the client has seen it, as far as we know. */
  #flushed(): void {
    if (this.state === 'responding') this.state = 'begun';
    if (this.state !== 'begun') return;
    this.record.given(this.#gatheredBytes);
    this.#gatheredBytes = 0;
    if (this.tunnel !== null) this.tunnel.flushed();
  }

  /**
   * The gate will close. A tunnel has no end of its own that could be waited for: it ends where
   * what its client was given does, or once that is so.
   */
  endTunnel(): void {
    if (this.tunnel === null) return;
    this.tunnel.draining = true;
    if (this.state === 'begun' && this.tunnel.atBoundary) this.shutOut('draining');
  }

  onEnd(trailers: Trailers | null): void {
    if (!this.covered(this.#headMs)) return;
    this.complete(trailers === null ? null : passedTrailers(trailers, this.#nominated, null));
  }

  /** @param trailers fields behind the content, for the client; null: none */
  protected complete(trailers: Fields | null): void {
    this.#flushed(); // by the last word
    this.end('permitted');
    this.lastWord(() => this.client.end(trailers));
  }

  onFailure(failure: UpstreamFailure): void {
    if (failure.kind === 'exhausted') {
      this.services.exhausted(failure.detail);
    } else {
      const requestId = this.record.id;
      const upstream = this.verdict?.route?.upstream;
      this.services.log.warn('upstream failed', { requestId, upstream, ...failure });
    }
    this.replaceResponse(UPSTREAM_REASONS[failure.kind]);
  }
}

const NO_NAMES: readonly string[] = [];
