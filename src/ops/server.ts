import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TCP_KEEP_ALIVE } from '../http1/keep-alive.ts';
import type { AddressLimit } from '../limits/places.ts';
import { createOpsHandler, type OpsParts } from './app.ts';
import { listen } from './listen.ts';
import { closeAfterUpgrade, holdPlaces, type PlaceCount, tellFull } from './places.ts';

/**
 * An `import` of node:http reads all that it exports, and so loads the client of WebSockets: 45 ms
 * of processor time at each start.
 */
const { createServer } = process.getBuiltinModule('node:http');

export interface OpsServer {
  /** Where it really listens: with port 0 the system chose. */
  readonly address: { readonly host: string; readonly port: number };
  /** Stops listening; requests under way have `deadlineMs` to finish. */
  close(deadlineMs: number): Promise<void>;
}

export interface OpsOptions extends OpsParts {
  /** `listen.ops.address`. */
  readonly address: { readonly host: string; readonly port: number };
  readonly places: AddressLimit;
  /** Told each time that a connection met a limit. */
  readonly reached: PlaceCount;
  /** What the log says of an address (`audit.clientAddress`). */
  readonly recordedAddress: (address: string) => string | null;
}

/** A probe is a line and a few headers; scrapers are a handful. */
const LIMITS = {
  maxHeaderSize: 8192,
  headersTimeoutMs: 5000,
  requestTimeoutMs: 10_000,
  idleTimeoutMs: 30_000,
  maxConnections: 128,
} as const;

/** Opens the operations listener. Throws `ListenFault` when it cannot. */
export async function startOps(options: OpsOptions): Promise<OpsServer> {
  const server = createServer(
    {
      maxHeaderSize: LIMITS.maxHeaderSize,
      headersTimeout: LIMITS.headersTimeoutMs,
      requestTimeout: LIMITS.requestTimeoutMs,
      keepAliveTimeout: LIMITS.idleTimeoutMs,
      connectionsCheckingInterval: 1000,
      ...TCP_KEEP_ALIVE,
    },
    createOpsHandler(options),
  );
  const { perAddress, isExempt } = options.places;
  const { log, reached, recordedAddress } = options;
  const full = tellFull(log, 'listen.ops', reached, recordedAddress);
  closeAfterUpgrade(server);
  holdPlaces(server, { total: LIMITS.maxConnections, perAddress, isExempt, full });
  await listen(server, options.address, 'listen.ops');
  // A connection that could not be accepted is told here; without a listener it would end the
  // process.
  server.on('error', (fault) => options.log.error('the operations listener failed', { fault }));
  const { address, port } = server.address() as AddressInfo;
  return { address: { host: address, port }, close: (deadlineMs) => close(server, deadlineMs) };
}

async function close(server: Server, deadlineMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), deadlineMs);
  await closed;
  clearTimeout(timer);
}
