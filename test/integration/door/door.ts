import { readFileSync } from 'node:fs';
import { afterEach, expect } from 'vitest';
import { createControl } from '../../../src/admin/control.ts';
import { openStores } from '../../../src/admin/stores.ts';
import { systemClock } from '../../../src/clock.ts';
import type { CloseOptions } from '../../../src/gateway/gateway.ts';
import { faultsOf } from '../../support/call-ledger.ts';
import {
  type AuditEvent,
  type GatewayOptions,
  startGateway,
  type TestGateway,
} from '../../support/gateway.ts';
import { type MessageHead, valuesOf } from '../../support/http-bytes.ts';
import { connectRaw, type RawClient } from '../../support/raw-client.ts';
import {
  type RawUpstream,
  type RawUpstreamOptions,
  type Step,
  startRawUpstream,
} from '../../support/raw-upstream.ts';
import { wholeLog } from '../../support/whole-log.ts';

export interface DoorOptions {
  readonly upstream?: RawUpstreamOptions;
  /** Of the upstream, in the configuration. */
  readonly upstreamConfig?: Readonly<Record<string, unknown>>;
  readonly gateway?: Partial<GatewayOptions>;
  /** The gate speaks TLS; plain HTTP otherwise, where every byte can be looked at. */
  readonly tls?: boolean;
  /** Stopped after the records were examined: a store, further upstreams. */
  readonly servers?: readonly { stop(): Promise<void> }[];
}

/** A gate between raw ends. */
export interface Door {
  readonly gate: TestGateway;
  readonly upstream: RawUpstream;
  /**
   * A client connection; its answers are held against the records after the test. `methods` of its
   * requests where they are not all GET.
   */
  connect(methods?: readonly string[]): Promise<RawClient>;
  /** A request head with the token, Host and what is given, and its empty line. */
  head(line: string, ...fields: readonly string[]): string;
  /** Sends and waits for the close. */
  talk(
    pieces: readonly (string | Buffer | number)[],
    methods?: readonly string[],
  ): Promise<{ text: string; closed: string }>;
  /** Drains and closes the gate; the events can still be read. */
  close(options?: CloseOptions): Promise<void>;
  events(): Promise<readonly AuditEvent[]>;
  /** The events about the request with this path (decision first), once there are `count`. */
  eventsOf(path: string, count?: number): Promise<readonly AuditEvent[]>;
}

/** An answer that says whose it is, so that a mix-up is seen. */
export function answerFor(request: MessageHead): Step[] {
  const body = `for ${valuesOf(request, 'x-request-id')[0]}`;
  return [{ send: `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}` }];
}

interface OpenDoor {
  readonly door: Door;
  readonly clients: { connection: RawClient; methods: readonly string[] }[];
  readonly servers: readonly { stop(): Promise<void> }[];
}

/** By then whatever has ended on the wire is on record. */
const RECORDED_MS = 15_000;

let open: OpenDoor[] = [];

/** Starts a gate and its upstream; both are stopped, and their records examined, after the test. */
export async function startDoor(options: DoorOptions = {}): Promise<Door> {
  const upstream = await startRawUpstream({ answer: answerFor, ...options.upstream });
  const gate = await startGateway({
    upstreams: { raw: { addresses: [upstream.url], ...options.upstreamConfig } },
    plaintext: options.tls !== true,
    ...options.gateway,
  });
  // With Redis, whoever came first found no registry there and looks again a moment later.
  await expect.poll(() => gate.gateway.ready, { timeout: 30_000, interval: 10 }).toBe(true);
  const clients: OpenDoor['clients'] = [];
  const tls = options.tls
    ? { tls: { ca: readFileSync(gate.caFile), servername: 'localhost' } }
    : {};
  let closed = false;
  const door: Door = {
    gate,
    upstream,
    connect: async (methods = []) => {
      const connection = await connectRaw({ port: gate.port, ...tls });
      clients.push({ connection, methods });
      return connection;
    },
    head: (line, ...fields) =>
      `${[`${line} HTTP/1.1`, 'Host: api.test', `Authorization: Bearer ${gate.token}`, ...fields].join('\r\n')}\r\n\r\n`,
    talk: async (pieces, methods) => {
      const client = await door.connect(methods);
      await client.send(...pieces);
      const text = (await client.waitForClose()).toString('latin1');
      return { text, closed: client.closed };
    },
    close: async (options) => {
      await gate.gateway.close(options);
      closed = true;
    },
    events: () => (closed ? eventsOfClosed(gate) : gate.events()),
    eventsOf: async (path, count = 2) => {
      for (const endMs = performance.now() + RECORDED_MS; ; ) {
        const events = await door.events();
        const decision = events.find((event) => event.phase === 'decision' && event.path === path);
        const own = events.filter((event) => event.id === decision?.id);
        if (own.length >= count || performance.now() > endMs)
          return own.sort((a, b) => a.seq - b.seq);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
  };
  open.push({ door, clients, servers: options.servers ?? [] });
  return door;
}

afterEach(async () => {
  const doors = open;
  open = [];
  for (const { door, clients, servers } of doors) {
    try {
      expect(await ledgerFaults(door, clients)).toEqual([]);
      expect(door.gate.log.filter((line) => line.includes('inside the gate'))).toEqual([]);
    } finally {
      for (const { connection } of clients) connection.close();
      await door.gate.stop();
      await door.upstream.stop();
      for (const server of servers) await server.stop();
    }
  }
});

/** From the store, once the gate that owned it is closed. */
export async function eventsOfClosed({ config }: TestGateway): Promise<readonly AuditEvent[]> {
  const stores = await openStores(config, { clock: systemClock, create: false, note: () => {} });
  try {
    const control = createControl({
      ...stores,
      clock: systemClock,
      instance: null,
      routes: () => null,
    });
    return (await wholeLog(control)).map((line) => JSON.parse(line) as AuditEvent);
  } finally {
    await stores.close();
  }
}

/**
 * A call that has just ended on the wire may not be on record yet; what does not agree in the end
 * is a fault.
 */
async function ledgerFaults(door: Door, clients: OpenDoor['clients']): Promise<string[]> {
  for (const endMs = performance.now() + RECORDED_MS; ; ) {
    const faults = faultsOf({ clients, upstreams: [door.upstream], events: await door.events() });
    if (faults.length === 0 || performance.now() > endMs) return faults;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
