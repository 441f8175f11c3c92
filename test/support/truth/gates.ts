import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createControl } from '../../../src/admin/control.ts';
import type { AuditVerification } from '../../../src/admin/verify-audit.ts';
import { systemClock } from '../../../src/clock.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { freePort } from '../free-port.ts';
import { type AuditEvent, owner } from '../gateway.ts';
import { MAIN } from '../main.ts';
import { until } from '../redis-replication.ts';
import { openWithRegistry } from '../registry.ts';

const OPEN_MS = 50_000;
const living = new Set<ChildProcess>();

// Also when whoever plays with them is ended before its time.
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

/** A gate in a process of its own, which can be ended as processes end. */
export interface GateProcess {
  readonly child: ChildProcess;
  readonly port: number;
  /** Name and incarnation. */
  readonly instance: string;
  log(): string;
  /** Value of a metric; 0 where there is none of that name. */
  metric(name: string): Promise<number>;
  /** Resolves once the process is gone. */
  end(...signals: readonly NodeJS.Signals[]): Promise<void>;
}

/** Gates on one store, with one account. */
export interface Gates {
  readonly token: string;
  /** Where their configuration and their data lie; gone with `stop`. */
  readonly folder: string;
  start(name: string): Promise<GateProcess>;
  /** All that is on record, oldest first. With the embedded store only while no gate runs. */
  events(): Promise<readonly AuditEvent[]>;
  /** What `sallyport audit verify` says of it. With the embedded store likewise. */
  verify(): Promise<AuditVerification>;
  stop(): Promise<void>;
}

export interface GatesOptions {
  /** Also how long an instance that ended counts as living. Default 3,000. */
  readonly leaseMs?: number;
  /** Keys of `audit` in the configuration. */
  readonly audit?: Readonly<Record<string, unknown>>;
  /** Processes of each gate. Default: one. */
  readonly workers?: number;
  /** Where the instance of a name keeps its data, in the gates' folder. Default: all in one. */
  readonly dataDir?: (name: string) => string;
}

/** @param store a Redis by its URL, or keys of `store` beside its kind; null = the embedded one */
export async function openGates(
  store: string | Readonly<Record<string, unknown>> | null,
  upstreamUrl: string,
  options: GatesOptions = {},
): Promise<Gates> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-truth-'));
  const running: GateProcess[] = [];
  const textOf = (name: string, opsPort: number) =>
    configText({ name, opsPort, store, upstreamUrl, ...options });
  const write = (name: string, opsPort: number) => {
    const file = join(folder, `${name}.yaml`);
    writeFileSync(file, textOf(name, opsPort));
    return file;
  };
  const first = write('first', 1);
  const withStores = async <T>(work: (control: ReturnType<typeof createControl>) => Promise<T>) => {
    const { config } = parseConfig(textOf('first', 1), first);
    const stores = await openWithRegistry(config);
    try {
      return await work(
        createControl({ ...stores, clock: systemClock, instance: null, routes: () => null }),
      );
    } finally {
      await stores.close();
    }
  };
  const { token } = await withStores(async ({ administration }) => {
    const role = { name: 'tester', description: '', permissions: ['test:*'] };
    await administration.createRole(owner, role);
    const account = { name: 'caller', description: '', role: 'tester' };
    return administration.createServiceAccount(owner, account);
  });
  return {
    token,
    folder,
    async start(name) {
      const opsPort = await freePort();
      const gate = await startProcess(write(name, opsPort), folder, opsPort);
      running.push(gate);
      return gate;
    },
    events: () =>
      withStores(async (control) => {
        const lines: string[] = [];
        let cursor: string | null = null;
        do {
          const page: { items: readonly string[]; next: string | null } =
            await control.administration.activityPage(owner, { account: null, cursor, limit: 500 });
          lines.push(...page.items);
          cursor = page.next;
        } while (cursor !== null);
        return lines.reverse().map((line) => JSON.parse(line) as AuditEvent);
      }),
    verify: () => verified(first, folder),
    async stop() {
      for (const gate of running) await gate.end('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface Parts extends GatesOptions {
  readonly name: string;
  readonly opsPort: number;
  readonly store: string | Readonly<Record<string, unknown>> | null;
  readonly upstreamUrl: string;
}

function configText(parts: Parts): string {
  const { name, opsPort, store, upstreamUrl, leaseMs = 3000, audit = {}, dataDir } = parts;
  const { workers = 1 } = parts;
  const redis = typeof store === 'string' ? { url: store } : store;
  return JSON.stringify({
    instance: { name, dataDir: `./${dataDir?.(name) ?? 'data'}`, drainMs: 60_000, workers },
    listen: {
      proxy: { address: '127.0.0.1:0', plaintext: true },
      ops: { address: `127.0.0.1:${opsPort}` },
    },
    store: redis === null ? { kind: 'embedded' } : { kind: 'redis', ...redis },
    registry: { leaseMs },
    audit,
    upstreams: { raw: { addresses: [upstreamUrl] } },
    routes: [
      {
        name: 'all',
        path: '/all/**',
        methods: ['GET', 'POST'],
        application: 'any',
        permission: 'test:all',
        upstream: 'raw',
      },
    ],
  });
}

/** As a process of its own: exit code 0 is no finding, 1 is some. Throws for any other. */
async function verified(file: string, cwd: string): Promise<AuditVerification> {
  const words = [MAIN, 'audit', 'verify', '--json', '--config', file];
  const child = spawn(process.execPath, words, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  const isTold = (code === 0 || code === 1) && out.startsWith('{');
  if (!isTold) throw new Error(`audit verify ended with ${code}: ${err}`);
  const result = JSON.parse(out) as AuditVerification;
  if ((code === 1) !== result.gaps + result.edits > 0)
    throw new Error(`audit verify ended with ${code}: ${out}`);
  return result;
}

async function startProcess(file: string, cwd: string, opsPort: number): Promise<GateProcess> {
  const child = spawn(process.execPath, [MAIN, 'serve', '--config', file], {
    cwd,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  living.add(child);
  child.once('exit', () => living.delete(child));
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const opened = () => log.split('\n').find((line) => line.includes('"the gate is open"'));
  const ops = async (path: string) =>
    (await fetch(`http://127.0.0.1:${opsPort}${path}`)).text().catch(() => '');
  await until(
    'the gate is ready',
    async () => {
      if (child.exitCode !== null) throw new Error(`the gate ended: ${log}`);
      return opened() !== undefined && /"ready":true/.test(await ops('/readyz'));
    },
    OPEN_MS,
  );
  const { proxy, instance } = JSON.parse(opened()!) as {
    readonly proxy: { readonly port: number };
    readonly instance: string;
  };
  return {
    child,
    port: proxy.port,
    instance,
    log: () => log,
    metric: async (name) => {
      const line = (await ops('/metrics')).split('\n').find((one) => one.startsWith(`${name} `));
      return Number(line?.split(' ').at(-1) ?? 0);
    },
    async end(...signals) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      for (const signal of signals) {
        child.kill(signal);
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      await gone;
    },
  };
}
