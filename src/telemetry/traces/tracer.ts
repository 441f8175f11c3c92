import type { Clock } from '../../clock.ts';
import type { RequestHead } from '../../http/request-head.ts';
import { type NewTraces, newTrace, type Trace, traceOf } from '../../http/trace.ts';
import type { Metrics } from '../metrics.ts';
import { CallTrace } from './call-trace.ts';
import { PerSecond } from './per-second.ts';
import { type SpanFacts, type SpanMeasure, spansOf } from './span.ts';

export interface Sampling {
  /** Share of all calls, 0 to 1. */
  readonly ratio: number;
  /** Further calls a second that others have a say in. */
  readonly askedPerSecond: number;
}

export interface TracerOptions {
  /** In force now. */
  sampling(): Sampling;
  /** What a call gets of which there are no spans, and that brings no trace. */
  newTraces(): NewTraces;
  readonly spans: { add(spans: readonly string[]): void };
  readonly count: Metrics['spans']['count'];
  /** Told of each call of which spans are sent. @param wallMs when it ended */
  readonly exemplar: (measure: SpanMeasure, traceId: string, wallMs: number) => void;
  readonly clock: Clock;
  /** From 0 to below 1. */
  readonly random?: () => number;
}

/**
 * Chooses the calls of which spans are made. The share that the operator wants is drawn by chance,
 * and nothing that a caller sends takes part in it: neither its flag nor its trace id can take a
 * call out. A caller that is known may ask for spans by the flag of its `traceparent`, so that its
 * trace is whole; all callers together get so many calls a second. Of refusals of strangers no more
 * are told, so that a flood of them does not push out what is wanted.
 *
 * Of all other calls the trace is passed on as it came.
 */
export class Tracer {
  readonly #options: TracerOptions;
  readonly #random: () => number;
  readonly #asked: PerSecond;
  readonly #strangers: PerSecond;

  constructor(options: TracerOptions) {
    const { clock, sampling, random = Math.random } = options;
    this.#options = options;
    this.#random = random;
    const limit = () => sampling().askedPerSecond;
    this.#asked = new PerSecond(clock, limit);
    this.#strangers = new PerSecond(clock, limit);
  }

  /** @param secure the client came by TLS */
  begin(head: RequestHead, secure: boolean): Trace {
    const found = traceOf(head, 'none');
    const isDrawn = this.#random() < this.#options.sampling().ratio;
    const isContinued = found.traceId !== null;
    if (!isContinued && !isDrawn) return newTrace(this.#options.newTraces());
    const trace = new CallTrace(isContinued ? found : newTrace('sampled'), secure, isContinued);
    if (isDrawn) trace.draw();
    return trace;
  }

  /** Before the call goes upstream. @param isKnown its caller is an account */
  forwarded(trace: Trace | null, isKnown: boolean): void {
    if (!(trace instanceof CallTrace) || trace.spans !== null || !trace.isAskedFor) return;
    if (!isKnown) return;
    if (this.#asked.take()) trace.draw();
    else this.#options.count('over_limit', 2);
  }

  /** The call is over. */
  ended(facts: SpanFacts, measure: SpanMeasure): void {
    const { trace } = facts;
    if (!(trace instanceof CallTrace) || trace.spans === null) return;
    const { spans, count, clock, exemplar } = this.#options;
    const isStranger = measure.account === null && measure.reason !== 'permitted';
    if (isStranger && !this.#strangers.take()) {
      count('over_limit');
      return;
    }
    const wallMs = clock.wallMs();
    spans.add(spansOf(wallMs, facts, trace, trace.spans, measure));
    exemplar(measure, trace.traceId, wallMs);
  }
}
