import type { OutgoingRequest } from '../http/outgoing.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type {
  ResponseReceiver,
  UpstreamChannel,
  UpstreamFailure,
  UpstreamTimeouts,
} from './port.ts';

export interface ProbeOptions {
  /** A connection of its own, for one exchange. */
  readonly open: (timeouts: UpstreamTimeouts) => UpstreamChannel;
  /** Without a body, and the only one of its connection. */
  readonly request: OutgoingRequest;
  /**
   * From the end of one check to the beginning of the next, give or take a tenth: instances that
   * start together shall not ask together.
   */
  readonly intervalMs: number;
  /** For a whole check, from the connection to the head of the response. */
  readonly timeoutMs: number;
  /** `passed` null: nothing was left here to check with. Must not throw. */
  readonly result: (passed: boolean | null, why: string) => void;
}

/**
 * Checks one address again and again, one check at a time, each on a connection of its own: whether
 * a new connection can be made is half of the question.
 */
export class HealthProber {
  readonly #options: ProbeOptions;
  #timer: NodeJS.Timeout | null = null;
  #probe: Probe | null = null;
  #stopped = false;

  constructor(options: ProbeOptions) {
    this.#options = options;
    this.#check();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#probe?.giveUp();
  }

  #check(): void {
    this.#probe = new Probe(this.#options, (passed, why) => {
      this.#probe = null;
      if (this.#stopped) return;
      this.#options.result(passed, why);
      this.#timer = setTimeout(
        () => this.#check(),
        this.#options.intervalMs * (0.9 + Math.random() * 0.2),
      );
      this.#timer.unref();
    });
  }
}

/** One question and the head of its response; the body is not waited for. */
class Probe implements ResponseReceiver {
  readonly #channel: UpstreamChannel;
  readonly #timer: NodeJS.Timeout;
  readonly #done: (passed: boolean | null, why: string) => void;
  #settled = false;

  constructor(
    { open, request, timeoutMs }: ProbeOptions,
    done: (passed: boolean | null, why: string) => void,
  ) {
    this.#done = done;
    this.#timer = setTimeout(() => this.#settle(false, 'no answer in time'), timeoutMs);
    this.#timer.unref();
    // Its own deadlines are the longer ones: the timer is for the whole.
    this.#channel = open({
      connectTimeoutMs: 2 * timeoutMs,
      responseTimeoutMs: 2 * timeoutMs,
      streamIdleTimeoutMs: 2 * timeoutMs,
    });
    this.#channel.begin(this, request);
    this.#channel.sendEnd();
  }

  giveUp(): void {
    this.#settle(false, 'given up');
  }

  #settle(passed: boolean | null, why: string): void {
    if (this.#settled) return;
    this.#settled = true;
    clearTimeout(this.#timer);
    this.#channel.destroy();
    this.#done(passed, why);
  }

  /** What does its work or sends elsewhere is well (RFC 9110 §15.3, §15.4). */
  onHead(head: ResponseHead): void {
    this.#settle(head.status < 400, `status ${head.status}`);
  }

  onFailure({ kind, detail }: UpstreamFailure): void {
    this.#settle(kind === 'exhausted' ? null : false, detail);
  }

  onFault(): void {
    this.#settle(false, 'a fault inside the gate');
  }

  onConnected(): void {}
  onInterim(): void {}
  onBody(): void {}
  onEnd(): void {}
  onDrain(): void {}
  flush(): boolean {
    return true;
  }
}
