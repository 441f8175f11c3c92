import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Log } from '../telemetry/log.ts';
import { preferredFormat, TEXT_TYPES, type TextFormat } from '../telemetry/text.ts';
import { turn } from '../turns.ts';
import { assessReadiness, type Check } from './readiness.ts';

export interface OpsParts {
  readonly checks: readonly Check[];
  readonly metrics: { text(format: TextFormat): Promise<string> };
  readonly log: Log;
}

/** Nothing here is a page: opened in a browser it is text that can run, frame and leak nothing. */
const SECURITY_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;

const METHODS = ['GET', 'HEAD', 'OPTIONS'];

/** Of a body, written in one turn of the loop. */
const PIECE_CHARACTERS = 128 * 1024;

interface OpsResponse {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

type Endpoint = (method: string, accept: string) => OpsResponse | Promise<OpsResponse>;

/**
 * Liveness, readiness and metrics. Served without authentication, so nothing in them is secret.
 *
 * Plain `node:http`, and nothing of a request is read but its method, its path and, for metrics,
 * `Accept`: load balancers send `OPTIONS / HTTP/1.0` (HAProxy), `GET / HTTP/1.0` without Host, or a
 * Host that is no name. `/` and `*`, to which balancers send checks without a path of their own,
 * mean readiness. OPTIONS has the status that GET would have.
 */
export function createOpsHandler({ checks, metrics, log }: OpsParts): RequestListener {
  const scrapes = {
    plain: singleFlight(() => metrics.text('plain')),
    openmetrics: singleFlight(() => metrics.text('openmetrics')),
  };
  // Alive = the event loop turns. Stores that are away do not count: a restart would not bring them
  // back.
  const alive = (): OpsResponse => json(200, { alive: true });
  const ready = (): OpsResponse => {
    const readiness = assessReadiness(checks);
    return json(readiness.ready ? 200 : 503, readiness);
  };
  const endpoints = new Map<string, Endpoint>([
    ['/livez', alive],
    ['/readyz', ready],
    ['/', ready],
    ['*', ready],
    [
      '/metrics',
      async (method: string, accept: string) => {
        const format = preferredFormat(accept);
        // OPTIONS has no body, and metrics are not free.
        const body = method === 'OPTIONS' ? '' : await scrapes[format]();
        return { status: 200, type: TEXT_TYPES[format], body };
      },
    ],
  ]);
  return (request, response) => {
    respondTo(request, endpoints).then(
      (found) => void write(request, response, found),
      (fault: unknown) => {
        log.error('an operations request failed', { path: pathOf(request), fault });
        void write(request, response, problem(500, 'Something went wrong inside the gate'));
      },
    );
  };
}

async function respondTo(
  request: IncomingMessage,
  endpoints: ReadonlyMap<string, Endpoint>,
): Promise<OpsResponse> {
  const endpoint = endpoints.get(pathOf(request));
  if (endpoint === undefined)
    return problem(404, 'There is only /livez, /readyz (also as /), /metrics');
  const method = request.method ?? '';
  // RFC 9110 §15.5.6: a path that exists says which methods it allows.
  return METHODS.includes(method)
    ? endpoint(method, request.headers.accept ?? '')
    : problem(405, 'The method is not allowed here');
}

/** Without query; of an absolute target (RFC 9112 §3.2.2) the path alone. */
function pathOf({ url = '' }: IncomingMessage): string {
  const path = url.split('?', 1)[0]!.replace(/^https?:\/\/[^/]*/i, '');
  return path === '' ? '/' : path;
}

function json(status: number, value: unknown): OpsResponse {
  return { status, type: 'application/json', body: JSON.stringify(value) };
}

function problem(status: number, title: string): OpsResponse {
  const body = JSON.stringify({ type: 'about:blank', title, status });
  return { status, type: 'application/problem+json', body };
}

/** Metrics are megabytes where there are many routes: they are encoded and written in slices. */
async function write(
  request: IncomingMessage,
  response: ServerResponse,
  { status, type, body }: OpsResponse,
): Promise<void> {
  const options = request.method === 'OPTIONS';
  const pieces = await encoded(options ? '' : body);
  response.writeHead(status, {
    ...SECURITY_HEADERS,
    'content-type': type,
    'content-length': pieces.reduce((sum, { length }) => sum + length, 0),
    ...(options || status === 405 ? { allow: METHODS.join(', ') } : {}),
  });
  for (const [index, piece] of pieces.entries()) {
    if (index > 0) await turn();
    // Node leaves the body out of a response to HEAD.
    response.write(piece);
  }
  response.end();
}

/** In bytes, cut at ends of lines. */
async function encoded(text: string): Promise<readonly Buffer[]> {
  const pieces: Buffer[] = [];
  for (let from = 0; from < text.length; ) {
    if (from > 0) await turn();
    const end = text.indexOf('\n', from + PIECE_CHARACTERS) + 1;
    const to = end === 0 ? text.length : end;
    pieces.push(Buffer.from(text.slice(from, to)));
    from = to;
  }
  return pieces;
}

/**
 * Requests that come while the text is being made get the same text: a crowd of scrapers costs as
 * much as one.
 */
function singleFlight(make: () => Promise<string>): () => Promise<string> {
  let underWay: Promise<string> | null = null;
  return () => {
    underWay ??= make().finally(() => {
      underWay = null;
    });
    return underWay;
  };
}
