import { newSpanId, type Trace } from '../../http/trace.ts';

const SAMPLED = 1;

/** The two spans of a call; each id has 16 hex digits. */
export interface SpanIds {
  /** From the head of the request to the end of the call. */
  readonly server: string;
  /** What went to the upstream: the parent of its spans. */
  readonly client: string;
}

/** The trace of a call of which spans are made, or may be. */
export class CallTrace implements Trace {
  /** As the upstream gets it: that of the caller until there is a span to name in its place. */
  traceparent: string;
  readonly tracestate: string | null;
  readonly traceId: string;
  /** The caller's span; null: the trace begins here. */
  readonly parentId: string | null;
  /** The client came by TLS. */
  readonly secure: boolean;
  /** Null: none are made. */
  spans: SpanIds | null = null;

  /** @param continued it was brought by the caller */
  constructor(trace: Trace, secure: boolean, continued: boolean) {
    this.traceparent = trace.traceparent!;
    this.tracestate = trace.tracestate;
    this.traceId = trace.traceId!;
    this.parentId = continued ? this.traceparent.slice(36, 52) : null;
    this.secure = secure;
  }

  /** The caller has said that the trace is recorded. */
  get isAskedFor(): boolean {
    return this.parentId !== null && (this.#flags & SAMPLED) !== 0;
  }

  get #flags(): number {
    return Number.parseInt(this.traceparent.slice(53), 16);
  }

  /** Spans are made from now on, and the upstream is told so. Other flags stay as they are. */
  draw(): void {
    const client = newSpanId();
    this.spans = { server: newSpanId(), client };
    const flags = (this.#flags | SAMPLED).toString(16).padStart(2, '0');
    this.traceparent = `00-${this.traceId}-${client}-${flags}`;
  }
}
