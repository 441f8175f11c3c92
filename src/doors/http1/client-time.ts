import type { Deadline, Watched } from '../../deadlines.ts';
import { BodyPace } from '../body-pace.ts';
import type { ConnectionHost } from '../connection.ts';

/**
 * How long one client is waited for. Its time runs only while it is the client that everything
 * waits for: for a request, for more of a body, or to take what it is sent.
 */
export class ClientTime {
  readonly #host: Pick<ConnectionHost, 'deadlines' | 'limits'>;
  readonly #deadline: Deadline;
  /** Of the body of the request under way; kept for the next one. */
  #pace: BodyPace | null = null;

  /** @param watched told when the time is over */
  constructor(host: Pick<ConnectionHost, 'deadlines' | 'limits'>, watched: Watched) {
    this.#host = host;
    this.#deadline = host.deadlines.watch(
      watched,
      host.deadlines.nowMs + host.limits.headTimeoutMs,
    );
  }

  /** The time for a head runs from its first byte on, however slowly the others follow. */
  headBegun(): void {
    const limit = this.#host.deadlines.nowMs + this.#host.limits.headTimeoutMs;
    this.#deadline.untilMs = Math.min(this.#deadline.untilMs, limit);
  }

  bodyBegins(): void {
    this.#pace ??= new BodyPace();
    this.#pace.begin(this.#host.limits);
  }

  /** So many bytes of content. */
  bodyCame(bytes: number): void {
    this.#pace!.came(bytes, this.#host.deadlines.nowMs);
  }

  /**
   * Runs from now.
   *
   * @param waits for the client, for anything but its body
   * @param bodyWaits more of its body is waited for
   */
  run(waits: boolean, bodyWaits: boolean): void {
    const { nowMs } = this.#host.deadlines;
    const untilMs =
      waits || bodyWaits ? nowMs + this.#host.limits.idleTimeoutMs : Number.POSITIVE_INFINITY;
    if (!bodyWaits) this.#pace?.pause(nowMs);
    this.#deadline.untilMs = bodyWaits ? Math.min(untilMs, this.#pace!.wait(nowMs)) : untilMs;
  }

  /**
   * Bytes in either direction begin a tunnel's time anew; that of the upstream is not the client's.
   *
   * @param blocked the client does not take what it is sent
   * @param waits bytes of it are waited for
   */
  runTunnel(blocked: boolean, waits: boolean): void {
    const { deadlines, limits } = this.#host;
    const forMs = blocked
      ? limits.idleTimeoutMs
      : waits
        ? limits.tunnelIdleMs
        : Number.POSITIVE_INFINITY;
    this.#deadline.untilMs = deadlines.nowMs + forMs;
  }

  /** Somebody else counts from now on. */
  stop(): void {
    this.#deadline.untilMs = Number.POSITIVE_INFINITY;
  }

  end(): void {
    this.#deadline.end();
  }
}
