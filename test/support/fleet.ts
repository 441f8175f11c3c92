import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { storeOwner } from '../../src/admin/actor.ts';
import { createAdministration } from '../../src/admin/administration.ts';
import { systemClock } from '../../src/clock.ts';
import { parseConfig } from '../../src/config/load.ts';
import { ensureLocalCertificate } from '../../src/tls/local-ca.ts';
import { freePort } from './free-port.ts';
import { valuesOf } from './http-bytes.ts';
import { MAIN } from './main.ts';
import { startRawUpstream } from './raw-upstream.ts';
import { until } from './redis-replication.ts';
import { startRedis } from './redis-server.ts';
import { openWithRegistry } from './registry.ts';

const OPEN_MS = 50_000;

/** What came back for one call. */
export interface Seen {
  readonly status: number;
  /** Which worker answered: the part of the request id that it made for itself. */
  readonly worker: string;
  readonly resumed: boolean;
  readonly session: Buffer | null;
}

/** Two workers on one Redis, started as people start them. */
export interface Fleet {
  readonly process: ChildProcess;
  /** Where its configuration is. */
  readonly folder: string;
  readonly port: number;
  /** Of the decision endpoint. */
  readonly decisionPort: number;
  readonly opsPort: number;
  readonly token: string;
  log(): string;
  workerPids(): readonly number[];
  call(options?: {
    readonly agent?: Agent;
    readonly session?: Buffer;
    readonly path?: string;
  }): Promise<Seen>;
  ops(path: string): Promise<string>;
  /** `store`: keys of it beside its kind and URL. */
  writeConfig(routes: readonly string[], store?: Readonly<Record<string, unknown>>): void;
  writeText(text: string): void;
  /**
   * Starts the same once more: on the port that this one has, or on one of its own, where only the
   * operations listener has none.
   */
  again(
    on?: 'its port' | 'another port',
  ): Promise<{ readonly code: number | null; readonly log: string }>;
  stop(): Promise<void>;
}

/** `upstreamUrl`: instead of one that answers with the request id, which tells the worker. */
export async function startFleet(
  workers = 2,
  upstreamUrl: string | null = null,
  limits: Readonly<Record<string, number>> = {},
  keys: Readonly<Record<string, unknown>> = {},
): Promise<Fleet> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-workers-'));
  const redis = await startRedis();
  const upstream = await startRawUpstream({
    answer: (head) => {
      const body = valuesOf(head, 'x-request-id')[0] ?? '';
      return [{ send: `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}` }];
    },
  });
  const files = await ensureLocalCertificate(folder, Date.now());
  const opsPort = await freePort();
  const file = join(folder, 'sallyport.yaml');
  const writeConfig = (routes: readonly string[], store: Readonly<Record<string, unknown>> = {}) =>
    writeFileSync(
      file,
      configText(routes, {
        workers,
        store: { kind: 'redis', url: redis.url, ...store },
        upstreamUrl: upstreamUrl ?? upstream.url,
        files,
        opsPort,
        limits,
        keys,
      }),
    );
  writeConfig(['all']);
  const token = await createAccount(file);
  const child = spawn(process.execPath, [MAIN, 'serve', '--config', file], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await upstream.stop();
    await redis.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  const ports = await openPorts(child, () => log).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  const { proxy: port, decision: decisionPort } = ports;
  const ca = readFileSync(files.caFile);
  const fleet: Fleet = {
    process: child,
    folder,
    port,
    decisionPort,
    opsPort,
    token,
    log: () => log,
    workerPids: () =>
      readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
        .trim()
        .split(' ')
        .map(Number),
    call: (options = {}) => call({ port, token, ca, ...options }),
    ops: async (path) => (await fetch(`http://127.0.0.1:${opsPort}${path}`)).text(),
    writeConfig,
    writeText: (text) => writeFileSync(file, text),
    again: async (on = 'its port') => {
      const second = join(folder, 'again.yaml');
      const address = `127.0.0.1:${on === 'its port' ? port : 0}`;
      writeFileSync(second, readFileSync(file, 'utf8').replace('127.0.0.1:0', address));
      const words = [MAIN, 'serve', '--config', second];
      const ended = promisify(execFile)(process.execPath, words, { cwd: folder, timeout: OPEN_MS });
      return ended.then(
        ({ stderr }) => ({ code: 0, log: stderr }),
        (fault: { code: number | null; stderr: string }) => ({
          code: fault.code,
          log: fault.stderr,
        }),
      );
    },
    stop,
  };
  await until(
    'the workers are ready',
    async () => /"ready":true/.test(await fleet.ops('/readyz')),
    OPEN_MS,
  );
  return fleet;
}

interface Parts {
  readonly workers: number;
  readonly store: Readonly<Record<string, unknown>>;
  readonly upstreamUrl: string;
  readonly files: { readonly certificateFile: string; readonly keyFile: string };
  readonly opsPort: number;
  readonly limits: Readonly<Record<string, number>>;
  /** Further top-level keys. */
  readonly keys: Readonly<Record<string, unknown>>;
}

function configText(
  routes: readonly string[],
  { workers, store, upstreamUrl, files, opsPort, limits, keys }: Parts,
): string {
  const { certificateFile, keyFile } = files;
  const route = (name: string) => ({
    name,
    path: `/${name}/**`,
    methods: ['GET'],
    application: 'any',
    permission: 'test:all',
    upstream: 'raw',
  });
  return JSON.stringify({
    instance: { name: 'fleet', dataDir: './store', workers, lameDuckMs: 0, drainMs: 5000 },
    listen: {
      proxy: { address: '127.0.0.1:0', tls: { certificates: [{ certificateFile, keyFile }] } },
      ops: { address: `127.0.0.1:${opsPort}` },
      decision: { address: '127.0.0.1:0', peers: ['127.0.0.1'] },
    },
    store,
    upstreams: { raw: { addresses: [upstreamUrl] } },
    routes: routes.map(route),
    limits,
    ...keys,
  });
}

/** Answers its token. */
async function createAccount(file: string): Promise<string> {
  const { config } = parseConfig(readFileSync(file, 'utf8'), file);
  const stores = await openWithRegistry(config);
  try {
    const administration = createAdministration({ ...stores, clock: systemClock, instance: null });
    const owner = storeOwner('test', 'command-line');
    await administration.createRole(owner, {
      name: 'tester',
      description: '',
      permissions: ['test:*'],
    });
    return (
      await administration.createServiceAccount(owner, {
        name: 'caller',
        description: '',
        role: 'tester',
      })
    ).token;
  } finally {
    await stores.close();
  }
}

async function openPorts(
  child: ChildProcess,
  log: () => string,
): Promise<{ readonly proxy: number; readonly decision: number }> {
  const opened = () =>
    log()
      .split('\n')
      .find((line) => /"the gate is open".*(?:"workers":|"ops":\{)/.test(line));
  await until(
    'the gate is open',
    async () => {
      if (child.exitCode !== null) throw new Error(`the gate ended: ${log()}`);
      return opened() !== undefined;
    },
    OPEN_MS,
  );
  const { proxy, decision } = JSON.parse(opened()!) as Record<string, { port: number }>;
  return { proxy: proxy!.port, decision: decision!.port };
}

interface CallOptions {
  readonly port: number;
  readonly token: string;
  readonly ca: Buffer;
  readonly agent?: Agent;
  readonly session?: Buffer;
  readonly path?: string;
}

function call({ port, token, ca, agent, session, path = '/all/x' }: CallOptions): Promise<Seen> {
  const headers = { authorization: `Bearer ${token}` };
  const options = { host: '127.0.0.1', port, servername: 'localhost', ca, path, headers };
  return new Promise((resolve, reject) => {
    const asked = request({
      ...options,
      agent: agent ?? new Agent({ maxCachedSessions: 0 }),
      ...(session ? { session } : {}),
    });
    let given: Buffer | null = null;
    // A connection that is kept has been asked for its session by its first call.
    if (agent === undefined) {
      asked.once('socket', (socket) => {
        socket.on('session', (ticket: Buffer) => {
          given = ticket;
        });
      });
    }
    asked.once('error', reject).once('response', (response) => {
      const resumed = (response.socket as TLSSocket).isSessionReused();
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.once('error', reject).once('end', () => {
        resolve({
          status: response.statusCode ?? 0,
          worker: body.split('-')[0] ?? '',
          resumed,
          session: given,
        });
      });
    });
    asked.end();
  });
}
