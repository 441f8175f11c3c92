import type { TcpNetConnectOpts } from 'node:net';
import type { Sent } from './exporter.ts';

/*
 * OTLP over HTTP, as JSON (opentelemetry.io/docs/specs/otlp, "OTLP/HTTP").
 */

export interface Resource {
  readonly serviceName: string;
  readonly instance: string;
  readonly version: string;
}

/** An `ExportTraceServiceRequest` without its spans. */
export function frameOf({ serviceName, instance, version }: Resource): readonly [string, string] {
  const attributes = Object.entries({
    'service.name': serviceName,
    'service.version': version,
    'service.instance.id': instance,
  }).map(([key, stringValue]) => ({ key, value: { stringValue } }));
  const resource = JSON.stringify({ attributes });
  const scope = JSON.stringify({ name: 'sallyport', version });
  return [
    `{"resourceSpans":[{"resource":${resource},"scopeSpans":[{"scope":${scope},"spans":[`,
    ']}]}]}',
  ];
}

/** Of a response's text. */
const MAX_RESPONSE_BYTES = 65_536;
/** Those of the specification; all others are final. */
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);

interface Posting {
  readonly endpoint: string;
  /** PEM; null: the CAs of Node. */
  readonly ca: string | null;
  readonly lookup: NonNullable<TcpNetConnectOpts['lookup']>;
}

/** Sends batches; the library is loaded with the first. */
export function posting({ endpoint, ca, lookup }: Posting) {
  let ready: Promise<(body: string, signal: AbortSignal) => Promise<Sent>> | null = null;
  const load = async () => {
    const { Agent, request } = await import('undici');
    const connect = ca === null ? { lookup } : { lookup, ca };
    const dispatcher = new Agent({ connect, maxResponseSize: MAX_RESPONSE_BYTES });
    return async (body: string, signal: AbortSignal): Promise<Sent> => {
      const response = await request(endpoint, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
        signal,
        dispatcher,
      });
      const { statusCode, body: said } = response;
      if (statusCode > 199 && statusCode < 300) return verdictOf(statusCode, await said.text());
      // What it says about a refusal is not told, and may be longer than is read.
      await said.text().catch(() => '');
      return verdictOf(statusCode, '');
    };
  };
  return async (body: string, signal: AbortSignal): Promise<Sent> => {
    try {
      ready ??= load();
      return await (await ready)(body, signal);
    } catch (error) {
      const { code, name, message } = error as { code?: unknown; name: string; message: string };
      if (typeof code === 'string') return { kind: 'away', why: code };
      return { kind: 'away', why: name === 'TimeoutError' ? 'no response in time' : message };
    }
  };
}

/** A redirection is a refusal: spans go nowhere but where the file says. */
function verdictOf(status: number, text: string): Sent {
  if (RETRYABLE.has(status)) return { kind: 'away', why: `status ${status}` };
  if (status < 200 || status > 299) return { kind: 'refused', why: `status ${status}` };
  const { rejectedSpans, errorMessage } = partialSuccessOf(text);
  const rejected = Number(rejectedSpans ?? 0);
  return {
    kind: 'sent',
    rejected: Number.isSafeInteger(rejected) && rejected > 0 ? rejected : 0,
    why: typeof errorMessage === 'string' ? errorMessage.slice(0, 200) : null,
  };
}

/** What is no JSON says that all is well, as an empty body does. */
function partialSuccessOf(text: string): { rejectedSpans?: unknown; errorMessage?: unknown } {
  try {
    const { partialSuccess } = JSON.parse(text) as { partialSuccess?: unknown };
    return typeof partialSuccess === 'object' && partialSuccess !== null ? partialSuccess : {};
  } catch {
    return {};
  }
}
