import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import type { AddressLimit } from '../limits/places.ts';
import { listen } from '../ops/listen.ts';
import { closeAfterUpgrade, holdPlaces, tellFull } from '../ops/places.ts';
import type { Log } from '../telemetry/log.ts';
import type { ServerCertificates } from '../tls/server-certificates.ts';
import { TCP_KEEP_ALIVE } from '../wire/keep-alive.ts';
import { API_BASE, type ApiEnv, type ApiParts, createApi } from './api/app.ts';

export interface AdminServer {
  /** Where it really listens: with port 0 the system chose. */
  readonly address: { readonly host: string; readonly port: number };
  /** From now on every answer says that it is the last one on its connection. */
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
  log,
}: AdminServerOptions): Promise<AdminServer> {
  const server = createServer(
    {
      ...certificates.serverOptions(),
      maxHeaderSize: LIMITS.maxHeaderSize,
      headersTimeout: LIMITS.headersTimeoutMs,
      requestTimeout: LIMITS.requestTimeoutMs,
      keepAliveTimeout: LIMITS.idleTimeoutMs,
      connectionsCheckingInterval: 1000,
      ...TCP_KEEP_ALIVE,
    },
    getRequestListener(app.fetch as never, { overrideGlobalObjects: false }),
  );
  const full = tellFull(log, 'listen.admin');
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
