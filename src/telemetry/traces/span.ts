import { METHODS } from '../../http/method.ts';
import type { Trace } from '../../http/trace.ts';
import type { AccessFacts, AccessMeasure } from '../access/line.ts';
import { withoutSecrets } from '../redact.ts';
import type { CallTrace, SpanIds } from './call-trace.ts';

/*
 * Spans as OTLP/JSON has them (opentelemetry-proto 1, `Span`), named by the semantic conventions
 * for HTTP. They hold no query, no account and no token: the request id leads to the record.
 */

/** One call that has ended. Times are monotonic milliseconds. */
export interface SpanFacts extends AccessFacts {
  readonly trace: Trace | null;
  readonly startedMs: number;
  /** When the request was given to the upstream's connection; 0: it was not. */
  readonly forwardedMs: number;
}

export interface SpanMeasure extends AccessMeasure {
  readonly route: {
    readonly name: string;
    readonly path: string;
    readonly upstream: string;
  } | null;
}

const KIND = { server: 2, client: 3 } as const;
const STATUS_ERROR = 2;
/** Characters of what a client chooses. */
const MAX_TEXT = 512;
const FROM_SERVER_FAULT = 500;
const FROM_FAULT = 400;
const KNOWN_METHODS: ReadonlySet<string> = new Set(METHODS);

type Attribute = { readonly key: string; readonly value: Readonly<Record<string, unknown>> };

/** Each as the text of one JSON object. @param wallMs when the call ended */
export function spansOf(
  wallMs: number,
  facts: SpanFacts,
  trace: CallTrace,
  ids: SpanIds,
  measure: SpanMeasure,
): readonly string[] {
  const startMs = wallMs - measure.durationMs;
  const server = serverSpan(facts, trace, measure);
  const own = JSON.stringify({
    traceId: trace.traceId,
    spanId: ids.server,
    ...(trace.parentId === null ? {} : { parentSpanId: trace.parentId }),
    ...server,
    startTimeUnixNano: nanoseconds(startMs),
    endTimeUnixNano: nanoseconds(wallMs),
  });
  if (facts.forwardedMs === 0) return [own];
  const sent = JSON.stringify({
    traceId: trace.traceId,
    spanId: ids.client,
    parentSpanId: ids.server,
    ...clientSpan(facts, measure),
    startTimeUnixNano: nanoseconds(startMs + facts.forwardedMs - facts.startedMs),
    endTimeUnixNano: nanoseconds(wallMs),
  });
  return [own, sent];
}

function serverSpan(facts: SpanFacts, trace: CallTrace, measure: SpanMeasure) {
  const { route, status, reason } = measure;
  const method = knownMethod(facts.method);
  const isFault = status >= FROM_SERVER_FAULT || (status === 0 && reason !== 'client-aborted');
  return {
    name: `${method === OTHER ? 'HTTP' : method}${route === null ? '' : ` ${route.path}`}`,
    kind: KIND.server,
    attributes: present([
      text('http.request.method', method),
      text('url.scheme', trace.secure ? 'https' : 'http'),
      text('url.path', cleaned(facts.path)),
      text('http.route', route?.path ?? null),
      whole('http.response.status_code', status === 0 ? null : status),
      text('error.type', errorOf(reason, status, FROM_SERVER_FAULT)),
      text('network.protocol.name', 'http'),
      text('network.protocol.version', facts.version),
      text('client.address', facts.clientAddress),
      text('user_agent.original', cleaned(facts.userAgent)),
      text('sallyport.request_id', facts.id),
      text('sallyport.reason', reason),
      text('sallyport.route', route?.name ?? null),
      text('sallyport.door', facts.door ?? 'http1'),
      milliseconds('sallyport.overhead_ms', measure.overheadMs),
    ]),
    ...(isFault ? { status: { code: STATUS_ERROR } } : {}),
  };
}

/** Which of the upstream's addresses it was is not told: only its metrics know. */
function clientSpan({ method, upstreamStatus }: SpanFacts, measure: SpanMeasure) {
  const known = knownMethod(method);
  const error = errorOf(measure.reason, upstreamStatus ?? 0, FROM_FAULT);
  return {
    name: known === OTHER ? 'HTTP' : known,
    kind: KIND.client,
    attributes: present([
      text('http.request.method', known),
      text('peer.service', measure.route?.upstream ?? null),
      whole('http.response.status_code', upstreamStatus),
      text('error.type', error),
      milliseconds('sallyport.first_byte_ms', measure.upstreamMs),
    ]),
    ...(error === null ? {} : { status: { code: STATUS_ERROR } }),
  };
}

const OTHER = '_OTHER';

function knownMethod(method: string | null): string {
  return method !== null && KNOWN_METHODS.has(method) ? method : OTHER;
}

/** Of what went wrong the reason, else the status from `fromStatus` on. */
function errorOf(reason: string, status: number, fromStatus: number): string | null {
  if (reason !== 'permitted') return reason;
  return status >= fromStatus ? String(status) : null;
}

function present(attributes: readonly (Attribute | null)[]): readonly Attribute[] {
  return attributes.filter((attribute) => attribute !== null);
}

function text(key: string, value: string | null): Attribute | null {
  return value === null ? null : { key, value: { stringValue: value } };
}

function whole(key: string, value: number | null): Attribute | null {
  return value === null ? null : { key, value: { intValue: String(value) } };
}

function milliseconds(key: string, value: number | null): Attribute | null {
  return value === null ? null : { key, value: { doubleValue: Math.round(value * 1000) / 1000 } };
}

/** Cut last: half a token would not be known as one. */
function cleaned(value: string | null): string | null {
  return value === null ? null : withoutSecrets(value).slice(0, MAX_TEXT).toWellFormed();
}

/** Since the Unix epoch, to the microsecond: more digits than that a double does not have. */
function nanoseconds(ms: number): string {
  return `${Math.round(ms * 1000)}000`;
}
