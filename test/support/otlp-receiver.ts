import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/*
 * A receiver of OTLP over HTTP that reads JSON by the published messages (opentelemetry-proto 1.x:
 * collector/trace/v1, trace/v1, common/v1, resource/v1; JSON as in the specification of OTLP/HTTP):
 * a name that no message has, an id that is not hexadecimal or an enum by its name is a fault.
 */

export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | null;
  readonly name: string;
  /** 2: server, 3: client. */
  readonly kind: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly isError: boolean;
}

export interface OtlpReceiver {
  /** Where traces are taken. */
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  /** Attributes of the resource that sent last. */
  readonly resource: Readonly<Record<string, string | number>>;
  /** Everything that came, as text. */
  readonly texts: readonly string[];
  /** What could not be read. */
  readonly faults: readonly string[];
  stop(): Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly body?: string;
}

type Tree = Readonly<Record<string, unknown>>;

/** @param answer to the request with this number, from 0; what is not 200 is not kept */
export async function startOtlpReceiver(
  answer: (number: number) => Answer = () => ({ status: 200, body: '{}' }),
): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const texts: string[] = [];
  const faults: string[] = [];
  let resource: OtlpReceiver['resource'] = {};
  let requests = 0;
  const take = (text: string) => {
    texts.push(text);
    const request = message(JSON.parse(text), 'resourceSpans');
    for (const one of list(request.resourceSpans)) {
      const ofResource = message(one, 'resource', 'scopeSpans', 'schemaUrl');
      resource = attributesOf(message(ofResource.resource, 'attributes').attributes);
      for (const scoped of list(ofResource.scopeSpans)) {
        const { scope, spans: found } = message(scoped, 'scope', 'spans', 'schemaUrl');
        message(scope, 'name', 'version', 'attributes');
        spans.push(...list(found).map(spanOf));
      }
    }
  };
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const { status, body = '' } = answer(requests++);
    try {
      if (request.method !== 'POST' || request.url !== '/v1/traces') throw new Error('elsewhere');
      if (request.headers['content-type'] !== 'application/json') throw new Error('no JSON');
      if (status === 200) take(Buffer.concat(pieces).toString('utf8'));
    } catch (fault) {
      faults.push(String(fault));
    }
    response.writeHead(status, { 'content-type': 'application/json' }).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`,
    spans,
    get resource() {
      return resource;
    },
    texts,
    faults,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const SPAN = [
  ...['traceId', 'spanId', 'traceState', 'parentSpanId', 'flags', 'name', 'kind'],
  ...['startTimeUnixNano', 'endTimeUnixNano', 'attributes', 'droppedAttributesCount'],
  ...['events', 'droppedEventsCount', 'links', 'droppedLinksCount', 'status'],
];
const KINDS = [0, 1, 2, 3, 4, 5];
const STATUS_ERROR = 2;

function spanOf(value: unknown): ReceivedSpan {
  const span = message(value, ...SPAN);
  const { kind, name, parentSpanId } = span;
  if (typeof name !== 'string' || name === '') throw new Error('a span without a name');
  if (typeof kind !== 'number' || !KINDS.includes(kind)) throw new Error(`kind ${kind}`);
  const status = message(span.status ?? {}, 'message', 'code');
  return {
    traceId: hex(span.traceId, 32),
    spanId: hex(span.spanId, 16),
    parentSpanId: parentSpanId === undefined ? null : hex(parentSpanId, 16),
    name,
    kind,
    startNs: whole(span.startTimeUnixNano),
    endNs: whole(span.endTimeUnixNano),
    attributes: attributesOf(span.attributes),
    isError: status.code === STATUS_ERROR,
  };
}

function attributesOf(value: unknown): Record<string, string | number> {
  const pairs = list(value).map((one) => {
    const { key, value: held } = message(one, 'key', 'value');
    if (typeof key !== 'string' || key === '') throw new Error('an attribute without a key');
    const all = message(held, 'stringValue', 'boolValue', 'intValue', 'doubleValue');
    const [[kind, content] = [], ...more] = Object.entries(all);
    if (kind === undefined || more.length > 0) throw new Error(`${key} has not one value`);
    if (kind === 'intValue') return [key, Number(whole(content))] as const;
    const isText = kind === 'stringValue' && typeof content === 'string';
    const isNumber = kind === 'doubleValue' && typeof content === 'number';
    if (!isText && !isNumber) throw new Error(`${key} is no ${kind}`);
    return [key, content as string | number] as const;
  });
  if (new Set(pairs.map(([key]) => key)).size < pairs.length) throw new Error('a key twice');
  return Object.fromEntries(pairs);
}

/** An object with no other names than these. */
function message(value: unknown, ...names: readonly string[]): Tree {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`no message with ${names.join()}`);
  const other = Object.keys(value).filter((name) => !names.includes(name));
  if (other.length > 0) throw new Error(`no field of it: ${other.join()}`);
  return value as Tree;
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error('no list');
  return value;
}

function hex(value: unknown, digits: number): string {
  if (typeof value === 'string' && value.length === digits && /^(?!0+$)[0-9a-f]+$/.test(value))
    return value;
  throw new Error(`no id of ${digits} digits: ${String(value)}`);
}

/** A 64-bit number: as decimal text. */
function whole(value: unknown): bigint {
  if (typeof value === 'string' && /^\d+$/.test(value)) return BigInt(value);
  throw new Error(`no number as text: ${String(value)}`);
}
