import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GatewayOptions } from '../support/gateway.ts';

/** What the gate's process holds. */
export interface Holdings {
  readonly rssBytes: number;
  readonly descriptors: number;
  /** What is in use when all garbage is gone: a leak shows here long before the process grows. */
  readonly inUseBytes: number;
}

export interface AbusedGate {
  readonly port: number;
  readonly token: string;
  readonly descriptors: number;
  readonly rssBytes: number;
  /** Processor time so far, in seconds. */
  readonly cpuSeconds: number;
  /** Collects the gate's garbage first. */
  holdings(): Promise<Holdings>;
  /**
   * Waits until it holds the baseline and a tenth; throws with the figures after `limitMs`.
   * @returns how long it took, in milliseconds
   */
  settled(baseline: Holdings, limitMs: number): Promise<number>;
  stop(): Promise<void>;
}

/** Body of every answer to `/big`. */
const BIG_BYTES = 8 * 1024 * 1024;
/** The kernel's unit in /proc/PID/stat: on Linux always 100, whatever the kernel counts in. */
const TICKS_PER_SECOND = 100;
/** Descriptors come and go with the store's and the upstream's connections. */
const LOOSE_DESCRIPTORS = 8;

/**
 * A gate in a process of its own, over TLS, with an upstream in this one. Linux only: it reads
 * /proc.
 */
export async function startAbusedGate(
  limits: Readonly<Record<string, number>>,
  more: Partial<GatewayOptions> = {},
): Promise<AbusedGate> {
  const upstream = await startUpstream();
  const address = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  const options: GatewayOptions = {
    upstreams: { echo: { addresses: [address] } },
    guarantee: 'buffered',
    limits,
    ...more,
  };
  const child = fork(join(import.meta.dirname, 'gate-process.ts'), [JSON.stringify(options)], {
    execArgv: [],
  });
  const [{ port, token }] = (await Promise.race([once(child, 'message'), failed(child)])) as [
    { port: number; token: string },
  ];
  const pid = child.pid!;
  const gate: AbusedGate = {
    port,
    token,
    get descriptors() {
      return readdirSync(`/proc/${pid}/fd`).length;
    },
    get rssBytes() {
      return (
        1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1])
      );
    },
    get cpuSeconds() {
      return cpuSeconds(pid);
    },
    holdings: async () => {
      child.send('how much?');
      const [{ inUseBytes }] = (await once(child, 'message')) as [{ inUseBytes: number }];
      return { rssBytes: gate.rssBytes, descriptors: gate.descriptors, inUseBytes };
    },
    settled: (baseline, limitMs) => settled(gate, baseline, limitMs),
    stop: async () => {
      const gone = once(child, 'exit');
      child.disconnect();
      await gone;
      upstream.closeAllConnections();
      await new Promise((resolve) => void upstream.close(resolve));
    },
  };
  return gate;
}

async function failed(child: ReturnType<typeof fork>): Promise<never> {
  const [code] = await once(child, 'exit');
  throw new Error(`the gate did not start: exit code ${code}`);
}

/** utime and stime, counted after the name in brackets, which may hold anything. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

async function settled(gate: AbusedGate, baseline: Holdings, limitMs: number): Promise<number> {
  const begin = performance.now();
  for (;;) {
    const now = await gate.holdings();
    const passed = performance.now() - begin;
    const few = now.descriptors <= baseline.descriptors * 1.1 + LOOSE_DESCRIPTORS;
    if (
      few &&
      now.rssBytes <= baseline.rssBytes * 1.1 &&
      now.inUseBytes <= baseline.inUseBytes * 1.1
    )
      return passed;
    if (passed > limitMs)
      throw new Error(
        `after ${limitMs} ms it holds ${shown(now)}; before it were ${shown(baseline)}`,
      );
    await sleep(500);
  }
}

export function shown({ rssBytes, descriptors, inUseBytes }: Holdings): string {
  return `${mebibytes(rssBytes)} MiB resident, ${mebibytes(inUseBytes)} MiB in use, ${descriptors} descriptors`;
}

export function mebibytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}

/** `/big` answers with a long body, everything else with `ok` once it has all of the request. */
async function startUpstream(): Promise<Server> {
  const big = Buffer.alloc(BIG_BYTES, 'x');
  const server = createServer((request, response) => {
    request.on('error', () => {});
    response.on('error', () => {});
    request.resume();
    request.on('end', () => void response.end(request.url === '/big' ? big : 'ok'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
