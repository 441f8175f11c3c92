import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';

/** What a collector says of a batch. */
export type Sent =
  | { readonly kind: 'sent'; readonly rejected: number; readonly why: string | null }
  /** It may be sent again. */
  | { readonly kind: 'away'; readonly why: string }
  /** It never will be taken. */
  | { readonly kind: 'refused'; readonly why: string };

export interface ExporterOptions {
  /** Without secrets; for the log. */
  readonly endpoint: string;
  /** What stands in front of the spans of each batch, and behind them. */
  readonly frame: readonly [before: string, behind: string];
  /** Sends one batch. Never rejects. */
  post(body: string, signal: AbortSignal): Promise<Sent>;
  readonly count: Metrics['spans']['count'];
  readonly log: Log;
  /** Spans wait so long for others. */
  readonly gatherMs?: number;
}

/** Of spans. Beyond those that may wait they are dropped, and counted. */
const MAX_WAITING = 2048;
const BATCH = 512;
const GATHER_MS = 5000;
/** After so many failures in a row the pause does not grow any more: 80 s. */
const MAX_DOUBLINGS = 4;
const POST_MS = 10_000;
/** All that is sent when the gate closes. */
const CLOSE_MS = 2000;

/**
 * Spans on their way to a collector: one batch at a time. A collector that is away costs memory up
 * to a limit, and calls nothing.
 */
export class SpanExporter {
  readonly #options: ExporterOptions;
  readonly #gatherMs: number;
  #waiting: string[] = [];
  /** Those under way are among the waiting ones until the collector has taken them. */
  #sending: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #failures = 0;
  #isClosed = false;
  /** What is under way ends with the gate, and keeps no process alive. */
  readonly #ended = new AbortController();

  constructor(options: ExporterOptions) {
    this.#options = options;
    this.#gatherMs = options.gatherMs ?? GATHER_MS;
  }

  add(spans: readonly string[]): void {
    if (this.#isClosed || this.#waiting.length + spans.length > MAX_WAITING) {
      this.#options.count('dropped', spans.length);
      return;
    }
    this.#waiting.push(...spans);
    // While the collector is away only the timer tries.
    if (this.#waiting.length >= BATCH && this.#failures === 0) this.#begin();
    else this.#arm();
  }

  #arm(): void {
    if (this.#timer !== null || this.#sending !== null || this.#isClosed) return;
    const pauseMs = this.#gatherMs * 2 ** Math.min(this.#failures, MAX_DOUBLINGS);
    this.#timer = setTimeout(() => this.#begin(), pauseMs).unref();
  }

  #begin(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#sending !== null || this.#waiting.length === 0) return;
    const signal = AbortSignal.any([AbortSignal.timeout(POST_MS), this.#ended.signal]);
    this.#sending = this.#send(signal).finally(() => {
      this.#sending = null;
      if (this.#waiting.length >= BATCH && this.#failures === 0 && !this.#isClosed) this.#begin();
      else if (this.#waiting.length > 0) this.#arm();
    });
  }

  /** One batch. */
  async #send(signal: AbortSignal): Promise<void> {
    const batch = this.#waiting.slice(0, BATCH);
    const { frame, post } = this.#options;
    const sent = await post(`${frame[0]}${batch.join(',')}${frame[1]}`, signal);
    if (this.#ended.signal.aborted) return; // counted as dropped
    if (sent.kind !== 'away') this.#waiting.splice(0, batch.length);
    this.#tell(sent, batch.length);
  }

  /** Once for each outage. */
  #tell(sent: Sent, spans: number): void {
    const { count, log, endpoint } = this.#options;
    const isFirst = this.#failures === 0;
    const { why } = sent;
    if (sent.kind === 'away') {
      this.#failures += 1;
      if (isFirst)
        log.warn(
          'traces cannot be sent: spans wait, as many as may, and further ones are dropped',
          {
            endpoint,
            why,
            atMost: MAX_WAITING,
          },
        );
      return;
    }
    if (!isFirst) log.info('traces are sent again', { endpoint });
    this.#failures = 0;
    const rejected = sent.kind === 'sent' ? Math.min(sent.rejected, spans) : spans;
    count('sent', spans - rejected);
    count('rejected', rejected);
    if (rejected > 0) log.warn('the collector rejects spans', { endpoint, spans: rejected, why });
  }

  /** Sends what waits, for two seconds at most. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const signal = AbortSignal.timeout(CLOSE_MS);
    const over = new Promise((resolve) => signal.addEventListener('abort', resolve));
    await Promise.race([this.#sending, over]);
    while (this.#waiting.length > 0 && !signal.aborted && (await this.#lastTry(signal)));
    this.#ended.abort();
    const left = this.#waiting.length;
    if (left === 0) return;
    this.#waiting = [];
    this.#options.count('dropped', left);
    this.#options.log.warn('spans could not be sent before the end', { spans: left });
  }

  /** @returns false when nothing more can be done */
  async #lastTry(signal: AbortSignal): Promise<boolean> {
    if (this.#sending !== null) return false;
    const before = this.#waiting.length;
    await this.#send(signal);
    return this.#waiting.length < before;
  }
}
