import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect } from 'vitest';
import type { Config } from '../../src/config/schema.ts';
import { type Gateway, startGateway as startFromSource } from '../../src/gateway/gateway.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { answersOf, faultsOf, type SeenAnswer } from '../support/call-ledger.ts';
import { type GatewayOptions, startGateway, type TestGateway } from '../support/gateway.ts';
import { valuesOf } from '../support/http-bytes.ts';
import { connectRaw, type RawClient } from '../support/raw-client.ts';
import { type RawUpstream, type Step, startRawUpstream } from '../support/raw-upstream.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';

/** Stops what a test has started, last first, also when it fails. */
const started: (() => Promise<unknown>)[] = [];

export function stopAfterwards(stop: () => Promise<unknown>): void {
  started.unshift(stop);
}

afterEach(async () => {
  for (const stop of started.splice(0)) await stop();
});

export interface Store {
  readonly redis: RedisServer;
  readonly upstream: RawUpstream;
}

/** A Redis that keeps what it was told, and an upstream whose answers say whose they are. */
export async function startStore(): Promise<Store> {
  const redis = await startRedis({ appendOnly: 'unsynced' });
  stopAfterwards(async () => {
    redis.resume();
    await redis.stop();
  });
  const upstream = await startRawUpstream({
    answer: (request): readonly Step[] => {
      const body = `for ${valuesOf(request, 'x-request-id')[0]}`;
      return [{ send: `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}` }];
    },
  });
  stopAfterwards(() => upstream.stop());
  return { redis, upstream };
}

/** A gate on that store, ready. Plain HTTP: these tests are about what stands behind the gate. */
export async function startGate(
  { redis, upstream }: Store,
  options: Partial<GatewayOptions> = {},
): Promise<TestGateway> {
  const gate = await startGateway({
    upstreams: { raw: { addresses: [upstream.url] } },
    plaintext: true,
    store: { url: redis.url },
    ...options,
    // Every refusal is to be found in the records one by one.
    config: {
      audit: { guarantee: options.guarantee ?? 'acknowledged', foldRefusalsAfter: 1_000_000 },
      ...options.config,
    },
  });
  stopAfterwards(() => gate.stop());
  await isReady(gate.gateway);
  return gate;
}

/** Another gate with the configuration of the first one, which need not find its store. */
export async function startAnother(
  config: Config,
  changes: Partial<Config> = {},
  dataDir = mkdtempSync(join(tmpdir(), 'sallyport-gateway-')),
): Promise<{ gateway: Gateway; port: number; log: string[] }> {
  const log: string[] = [];
  const gateway = await startFromSource(
    { ...config, ...changes, instance: { ...config.instance, dataDir } },
    { log: createLog({ format: 'json', level: 'debug', write: (line) => void log.push(line) }) },
  );
  stopAfterwards(async () => {
    await gateway.close();
    rmSync(dataDir, { recursive: true, force: true });
  });
  return { gateway, port: gateway.addresses.proxy!.port, log };
}

export async function isReady(gateway: Gateway, limitMs = 30_000): Promise<void> {
  await expect.poll(() => gateway.ready, { timeout: limitMs, interval: 10 }).toBe(true);
}

export interface Readyz {
  readonly ready: boolean;
  readonly checks: readonly {
    readonly name: string;
    readonly state: string;
    readonly why?: string;
  }[];
}

export async function readyz(
  gateway: Gateway,
): Promise<{ readonly status: number; readonly body: Readyz }> {
  const { host, port } = gateway.addresses.ops!;
  const response = await fetch(`http://${host}:${port}/readyz`);
  return { status: response.status, body: (await response.json()) as Readyz };
}

/** By then a gate that is well lets in whoever may come in. */
const LET_IN_MS = 30_000;

/** Clients whose answers are remembered, to be held against the records. */
export class Callers {
  readonly clients: { connection: RawClient; methods: readonly string[] }[] = [];

  /** One call on a connection of its own. Throws when there was no whole answer. */
  async call(
    port: number,
    token: string | null,
    line = 'GET /call',
  ): Promise<SeenAnswer & { readonly tookMs: number }> {
    const begin = performance.now();
    const connection = await connectRaw({ port });
    const client = { connection, methods: [line.split(' ')[0]!] };
    this.clients.push(client);
    const credential = token === null ? '' : `Authorization: Bearer ${token}\r\n`;
    await connection.send(
      `${line} HTTP/1.1\r\nHost: api.test\r\n${credential}Content-Length: 0\r\nConnection: close\r\n\r\n`,
    );
    await connection.waitForClose();
    connection.close();
    const [answer] = answersOf({ clients: [client] });
    if (answer === undefined)
      throw new Error(`no whole answer to ${line}: ${JSON.stringify(connection.bytes.toString())}`);
    return { ...answer, tookMs: performance.now() - begin };
  }

  /**
   * Calls until it is let in. On a machine that stood still for the whole of a short lease it is
   * first told 503; it is never told anything else.
   */
  async letIn(port: number, token: string, line?: string): Promise<void> {
    for (const endMs = performance.now() + LET_IN_MS; ; await sleep(10)) {
      const { status } = await this.call(port, token, line);
      if (status === 200) return;
      expect([status, performance.now() < endMs]).toEqual([503, true]);
    }
  }

  /** Calls again and again until `over` is settled. */
  async callWhile(
    over: Promise<unknown>,
    port: number,
    token: string,
    { line = 'GET /call', everyMs = 20 } = {},
  ): Promise<SeenAnswer[]> {
    let stop = false;
    void over.finally(() => {
      stop = true;
    });
    const answers: SeenAnswer[] = [];
    while (!stop) {
      answers.push(await this.call(port, token, line));
      await sleep(everyMs);
    }
    return answers;
  }

  /** Holds everything seen so far against the upstream and the records. */
  async examine(gate: TestGateway, upstream: RawUpstream): Promise<void> {
    await expect
      .poll(
        async () =>
          faultsOf({
            clients: this.clients,
            upstreams: [upstream],
            events: await gate.events(),
            auditWasAway: true,
          }),
        {
          timeout: 30_000,
        },
      )
      .toEqual([]);
  }
}

/** `200`, or `503 audit-unavailable`: what callers were told, without repetitions. */
export function kinds(answers: readonly SeenAnswer[]): string[] {
  return [
    ...new Set(
      answers.map(({ status, reason }) => (reason === null ? `${status}` : `${status} ${reason}`)),
    ),
  ].sort();
}
