import type { Deadline, Deadlines, Watched } from '../deadlines.ts';
import type { UpstreamTimeouts } from './port.ts';

/** How long an upstream may take for what is left of a tunnel, and for its own end. */
const FINISH_MS = 5000;

/**
 * How long the upstream at the end of one connection is waited for. Its time runs only while it is
 * the upstream that everything waits for: a client that sends its body slowly has its own time, and
 * an upload may take as long as it takes.
 */
export class Patience {
  readonly #deadlines: Deadlines;
  readonly #timeouts: UpstreamTimeouts;
  readonly #deadline: Deadline;
  /** The connection is made. */
  connected = false;
  /** The request is complete: the upstream owes a response. */
  requestSent = false;
  /** The client does not take what the upstream sends. */
  paused = false;
  /** The upstream does not take what it is sent. */
  #blocked = false;
  /** The longest silence that is waited for now. */
  #silenceMs = 0;

  /** @param watched told when the time is over */
  constructor(deadlines: Deadlines, timeouts: UpstreamTimeouts, watched: Watched) {
    this.#deadlines = deadlines;
    this.#timeouts = timeouts;
    this.#deadline = deadlines.watch(watched, deadlines.nowMs + timeouts.connectTimeoutMs);
  }

  connects(): void {
    this.connected = true;
    this.heard();
  }

  /** An exchange begins. */
  begin(): void {
    this.requestSent = false;
    this.#silenceMs = this.#timeouts.responseTimeoutMs;
    this.#blocked = false;
    this.paused = false;
    this.heard();
  }

  /** @param taken the upstream takes what it was sent */
  sent(taken: boolean): void {
    this.#blocked = !taken;
    this.heard();
  }

  /** All of the request was sent. */
  whole(taken: boolean): void {
    this.requestSent = true;
    this.sent(taken);
  }

  pause(isPaused: boolean): void {
    this.paused = isPaused;
    this.heard();
  }

  /** The final head is here: from now on silences within a response count. */
  headCame(): void {
    this.#silenceMs = this.#timeouts.streamIdleTimeoutMs;
    this.heard();
  }

  /** A tunnel: it owes nothing any more. */
  switched(): void {
    this.requestSent = false;
    this.heard();
  }

  /** Something came from the upstream: its time runs from now. */
  heard(): void {
    if (!this.connected) return;
    const owes = (this.requestSent || this.#blocked) && !this.paused;
    this.#deadline.untilMs = owes
      ? this.#deadlines.nowMs + this.#silenceMs
      : Number.POSITIVE_INFINITY;
  }

  /** Nobody uses the connection for now. @returns since when, on the scale of `Deadlines.nowMs` */
  idle(timeoutMs: number): number {
    const { nowMs } = this.#deadlines;
    this.#deadline.untilMs = nowMs + timeoutMs;
    return nowMs;
  }

  finish(): void {
    this.#deadline.untilMs = this.#deadlines.nowMs + FINISH_MS;
  }

  end(): void {
    this.#deadline.end();
  }
}
