import type { ResponseHead } from '../http/response-head.ts';
import type { Trailers } from '../http/trailers.ts';
import type { HealthQuestion, HealthVerdict } from './health-question.ts';
import type {
  ResponseReceiver,
  UpstreamChannel,
  UpstreamFailure,
  UpstreamTimeouts,
} from './port.ts';

export interface ProbeOptions {
  /** A connection of its own, for one exchange. */
  readonly open: (timeouts: UpstreamTimeouts) => UpstreamChannel;
  readonly question: HealthQuestion;
  /**
   * From the end of one check to the beginning of the next, give or take a tenth: instances that
   * start together shall not ask together.
   */
  readonly intervalMs: number;
  /** For a whole check, from the connection to what decides of the response. */
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

/** No reply to a check is longer. */
const MAX_CONTENT_BYTES = 1024;

/** One question, and as much of its response as decides. */
class Probe implements ResponseReceiver {
  readonly #question: HealthQuestion;
  readonly #channel: UpstreamChannel;
  #content: Buffer = Buffer.alloc(0);
  readonly #timer: NodeJS.Timeout;
  readonly #done: (passed: boolean | null, why: string) => void;
  #settled = false;

  constructor(
    { open, question, timeoutMs }: ProbeOptions,
    done: (passed: boolean | null, why: string) => void,
  ) {
    this.#done = done;
    this.#question = question;
    this.#timer = setTimeout(() => this.#settle(false, 'no answer in time'), timeoutMs);
    this.#timer.unref();
    // Its own deadlines are the longer ones: the timer is for the whole.
    this.#channel = open({
      connectTimeoutMs: 2 * timeoutMs,
      responseTimeoutMs: 2 * timeoutMs,
      streamIdleTimeoutMs: 2 * timeoutMs,
    });
    this.#channel.begin(this, question.request);
    if (question.content !== null) this.#channel.sendBody(question.content);
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

  #judge(verdict: HealthVerdict | null): void {
    if (verdict !== null) this.#settle(verdict.passed, verdict.why);
  }

  onHead(head: ResponseHead): void {
    this.#judge(this.#question.ofHead(head));
  }

  onBody(content: Buffer): void {
    this.#content = Buffer.concat([this.#content, content]);
    if (this.#content.length > MAX_CONTENT_BYTES) this.#settle(false, 'a reply that is too long');
  }

  onEnd(trailers: Trailers | null): void {
    this.#judge(this.#question.ofWhole(this.#content, trailers));
  }

  onFailure({ kind, detail }: UpstreamFailure): void {
    this.#settle(kind === 'exhausted' ? null : false, detail);
  }

  onFault(): void {
    this.#settle(false, 'a fault inside the gate');
  }

  onConnected(): void {}
  onInterim(): void {}
  onDrain(): void {}
  flush(): boolean {
    return true;
  }
}
