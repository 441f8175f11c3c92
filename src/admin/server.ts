import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { KEY_SET_FIELDS, KEY_SET_PATH } from '../assertion/key-set-response.ts';
import { TCP_KEEP_ALIVE } from '../http1/keep-alive.ts';
import type { AddressLimit } from '../limits/places.ts';
import { listen } from '../ops/listen.ts';
import { closeAfterUpgrade, holdPlaces, type PlaceCount, tellFull } from '../ops/places.ts';
import type { Reason, RefusalReason } from '../refusal.ts';
import type { Log } from '../telemetry/log.ts';
import type { ServerCertificates } from '../tls/server-certificates.ts';
import { API_BASE, createApi } from './api/app.ts';
import { recordResponses } from './api/listener.ts';
import { type AdminRecorder, NOBODY, recordOf } from './api/recorder.ts';
import type { ApiEnv, ApiParts } from './api/requests.ts';
import { problemResponse } from './api/responses.ts';
import { hasLeft } from './api/unfinished.ts';

export interface AdminServer {
  /** Where it really listens: with port 0 the system chose. */
  readonly address: { readonly host: string; readonly port: number };
  /** From now on every response says that it is the last one on its connection. */
  announceEnd(): void;
  /** Stops listening; requests under way have `deadlineMs` to finish. */
  close(deadlineMs: number): Promise<void>;
}

export interface AdminServerOptions {
  /** `listen.admin.address`. */
  readonly address: { readonly host: string; readonly port: number };
  readonly certificates: ServerCertificates;
  readonly app: Hono<ApiEnv>;
  readonly places: AddressLimit;
  /** Told each time that a connection met a limit. */
  readonly reached: PlaceCount;
  /** What the log says of an address (`audit.clientAddress`). */
  readonly recordedAddress: (address: string) => string | null;
  readonly recorder: AdminRecorder;
  /** Named by a 401. */
  realm(): string;
  readonly log: Log;
}

/** People and pipelines that administer are few; calls go through another listener. */
const LIMITS = {
  maxHeaderSize: 16_384,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  // Above the 60 s for which common balancers keep an idle connection.
  idleTimeoutMs: 65_000,
  maxConnections: 512,
} as const;

/**
 * What the admin listener serves: the API at its base and, where there is one, a site for people
 * beside it.
 */
export function createAdminApp(parts: ApiParts, site: Hono<ApiEnv> | null = null): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.use(recordsEverything(parts));
  app.get(KEY_SET_PATH, (c, next) => keySetResponse(parts, c, next));
  app.route('/', createApi(parts));
  if (site !== null) app.route('/', site);
  // The site leaves alone what is below the API's root.
  app.notFound((c) =>
    c.json(
      { type: 'about:blank', title: `There is only ${API_BASE}`, status: 404 },
      404,
      NOT_FOUND,
    ),
  );
  return app;
}

/** For whoever verifies assertions: public keys, for everybody. */
async function keySetResponse(
  { keySet }: ApiParts,
  c: Context<ApiEnv>,
  next: () => Promise<void>,
): Promise<Response | undefined> {
  const set = keySet();
  if (set === undefined) {
    await next();
    return undefined;
  }
  if (set === null)
    return c.json({ type: 'about:blank', title: 'The keys cannot be told now', status: 503 }, 503, {
      ...NOT_FOUND,
      'retry-after': '1',
    });
  return c.body(set, 200, { ...KEY_SET_FIELDS, 'x-content-type-options': 'nosniff' });
}

/**
 * Records, before their responses go out, the requests that no route records by itself: documents,
 * pages for callers who are not known, paths that do not exist. So no route can be forgotten.
 */
function recordsEverything({ realm }: ApiParts): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    await next();
    const record = recordOf(c.env?.incoming);
    if (record === null) return;
    if (hasLeft(c.env?.incoming)) {
      if (!record.isDecided) await record.decided('client-aborted', NOBODY, null);
      if (!record.streams) record.left();
      return;
    }
    const { status } = c.res;
    const reason = reasonOfStatus(status);
    const isRecorded = record.isDecided || (await record.decided(reason, NOBODY, status));
    // A page that says the store is away says as much, and in words.
    if (!isRecorded && status !== 503)
      c.res = problemResponse({ reason: 'audit-unavailable' }, record.id, realm());
    if (!record.streams) record.ended(status, reason);
  };
}

const BY_STATUS: Readonly<Record<number, RefusalReason>> = {
  401: 'token-missing',
  403: 'permission-denied',
  404: 'route-unknown',
  405: 'method-refused',
  408: 'request-timeout',
  413: 'body-too-large',
  429: 'rate-limited',
  503: 'registry-unavailable',
};

/** The reason that the audit has for a status. */
function reasonOfStatus(status: number): Reason {
  if (status < 400) return 'permitted';
  return BY_STATUS[status] ?? (status < 500 ? 'request-malformed' : 'internal-fault');
}

const NOT_FOUND = {
  'content-type': 'application/problem+json',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
} as const;

/** Opens the admin listener, HTTPS only. Throws `ListenFault` when it cannot. */
export async function startAdminServer({
  address,
  certificates,
  app,
  places,
  reached,
  recordedAddress,
  recorder,
  realm,
  log,
}: AdminServerOptions): Promise<AdminServer> {
  const server = createServer({
    ...certificates.serverOptions(),
    maxHeaderSize: LIMITS.maxHeaderSize,
    headersTimeout: LIMITS.headersTimeoutMs,
    requestTimeout: LIMITS.requestTimeoutMs,
    keepAliveTimeout: LIMITS.idleTimeoutMs,
    connectionsCheckingInterval: 1000,
    ...TCP_KEEP_ALIVE,
    // A missing Host is refused, and recorded, by us.
    requireHostHeader: false,
  });
  recordResponses(server, {
    recorder,
    realm,
    log,
    // Of a request of HTTP/1.0 without Host.
    respond: getRequestListener(app.fetch as never, {
      overrideGlobalObjects: false,
      hostname: 'localhost',
    }),
  });
  const full = tellFull(log, 'listen.admin', reached, recordedAddress);
  const { perAddress, isExempt } = places;
  closeAfterUpgrade(server);
  holdPlaces(server, { total: LIMITS.maxConnections, perAddress, isExempt, full });
  const detach = certificates.attach(server);
  await listen(server, address, 'listen.admin');
  // A connection that could not be accepted is told here; without a listener it would end the
  // process.
  server.on('error', (fault) => log.error('the admin listener failed', { fault }));
  const { address: host, port } = server.address() as AddressInfo;
  return {
    address: { host, port },
    // Before the application writes its head.
    announceEnd: () =>
      server.prependListener('request', (_request, response) => {
        response.shouldKeepAlive = false;
      }),
    close: async (deadlineMs) => {
      detach();
      await close(server, deadlineMs);
    },
  };
}

async function close(server: Server, deadlineMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), deadlineMs);
  await closed;
  clearTimeout(timer);
}
