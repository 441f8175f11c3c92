import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { storeOwner } from '../../src/admin/actor.ts';
import type { Administration } from '../../src/admin/administration.ts';
import { type Control, createControl } from '../../src/admin/control.ts';
import { systemClock } from '../../src/clock.ts';
import { parseConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/schema.ts';
import { type Gateway, startGateway as start } from '../../src/gateway/gateway.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { ensureLocalCertificate } from '../../src/tls/local-ca.ts';
import { cheapenPasswords } from './cheap-passwords.ts';
import { closeRawClients } from './raw-client.ts';
import { openWithRegistry } from './registry.ts';
import { wholeLog } from './whole-log.ts';

/** As a route stands in the configuration file. */
export type RouteText = Readonly<Record<string, unknown>>;

export interface GatewayOptions {
  /** By name; the first is where the default routes lead. */
  readonly upstreams: Readonly<
    Record<string, { readonly addresses: readonly string[] } & Readonly<Record<string, unknown>>>
  >;
  /**
   * Default: everything below `/` for accounts that hold `test:all`, and `/public/**` for everyone.
   */
  readonly routes?: readonly RouteText[];
  /** False: a file stands where its spool would be, so that it has none. */
  readonly spool?: boolean;
  readonly guarantee?: 'acknowledged' | 'buffered';
  /** Keys of `store` beside `kind: redis`. */
  readonly store?: 'embedded' | Readonly<Record<string, unknown>>;
  /** The same for whoever administers, where that is another user than the gate's. */
  readonly administratorStore?: Readonly<Record<string, unknown>>;
  readonly limits?: Readonly<Record<string, number>>;
  readonly leaseMs?: number;
  /** Opens the admin listener too; keys of it beside the address. */
  readonly admin?: Readonly<Record<string, unknown>>;
  /** Opens the decision endpoint too, for the loopback; keys of it beside the address. */
  readonly decision?: Readonly<Record<string, unknown>>;
  /** Plain HTTP instead of TLS. */
  readonly plaintext?: boolean;
  /** Keys of `listen.proxy.http2`. */
  readonly http2?: Readonly<Record<string, unknown>>;
  /** Further top-level keys, or whole ones in place of the default ones. */
  readonly config?: Readonly<Record<string, unknown>>;
}

export interface TestGateway {
  readonly gateway: Gateway;
  readonly config: Config;
  /** False: a file stands where its spool would be, so that it has none. */
  readonly spool?: boolean;
  /** What stands in its configuration file, `test.yaml` in `dataDir`, which nobody watches. */
  readonly text: string;
  readonly url: string;
  readonly port: number;
  readonly opsUrl: string;
  readonly caFile: string;
  readonly dataDir: string;
  /** A service account that may do everything behind the default routes, and its token. */
  readonly account: { readonly id: string; readonly name: string };
  readonly token: string;
  readonly administration: Administration;
  readonly control: Control;
  /** Lines of the gate's own log, as JSON. */
  readonly log: readonly string[];
  /** Another service account and its token. */
  createAccount(fields: {
    readonly name: string;
    readonly role: string;
  }): Promise<{ readonly id: string; readonly token: string }>;
  /** All events recorded so far, oldest first. What is still queued is waited for. */
  events(): Promise<readonly AuditEvent[]>;
  /** What raw clients have left open to its port is broken off first. */
  stop(): Promise<void>;
}

export type AuditEvent = Readonly<Record<string, unknown>> & {
  readonly id: string;
  readonly phase: string;
  readonly reason?: string;
  readonly seq: number;
};

export const owner = storeOwner('test', 'command-line');

/** By then whatever waits to be recorded has been, unless its store is away. */
const RECORDED_MS = 30_000;

const ALL = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

function configText(options: GatewayOptions, dataDir: string): string {
  const upstream = Object.keys(options.upstreams)[0]!;
  const certificates = [
    { certificateFile: join(dataDir, 'tls.crt'), keyFile: join(dataDir, 'tls.key') },
  ];
  const store = options.store ?? 'embedded';
  // JSON is YAML.
  return JSON.stringify({
    instance: { name: 'test', dataDir, lameDuckMs: 0, drainMs: 2000 },
    listen: {
      proxy: {
        address: '127.0.0.1:0',
        ...(options.plaintext ? { plaintext: true } : { tls: { certificates } }),
        ...(options.http2 === undefined ? {} : { http2: options.http2 }),
      },
      ...(options.admin === undefined
        ? {}
        : { admin: { address: '127.0.0.1:0', tls: { certificates }, ...options.admin } }),
      ...(options.decision === undefined
        ? {}
        : { decision: { address: '127.0.0.1:0', peers: ['127.0.0.1'], ...options.decision } }),
      ops: { address: '127.0.0.1:0' },
    },
    store: store === 'embedded' ? { kind: 'embedded' } : { kind: 'redis', ...store },
    registry: { leaseMs: options.leaseMs ?? 30_000 },
    audit: { guarantee: options.guarantee ?? 'acknowledged' },
    upstreams: options.upstreams,
    routes: options.routes ?? [
      {
        name: 'all',
        path: '/**',
        methods: ALL,
        application: 'any',
        permission: 'test:all',
        upstream,
      },
      { name: 'public', path: '/public/**', access: 'public', upstream },
    ],
    limits: options.limits ?? {},
    ...options.config,
  });
}

/**
 * A real gate in this process, on free ports of the loopback, with an account that may do
 * everything. Where it has a console, passwords cost little in this process from then on.
 */
export async function startGateway(options: GatewayOptions): Promise<TestGateway> {
  if (options.admin !== undefined) cheapenPasswords();
  const dataDir = mkdtempSync(join(tmpdir(), 'sallyport-gateway-'));
  mkdirSync(dataDir, { recursive: true });
  await ensureLocalCertificate(dataDir, Date.now());
  if (options.spool === false) writeFileSync(join(dataDir, 'spool'), '');
  const text = configText(options, dataDir);
  const { config } = parseConfig(text, join(dataDir, 'test.yaml'));
  const administrator = options.administratorStore ?? options.store;
  const forAdministrator = configText(
    administrator === undefined ? options : { ...options, store: administrator },
    dataDir,
  );
  const stores =
    config.store.kind === 'redis'
      ? await openWithRegistry(parseConfig(forAdministrator, join(dataDir, 'test.yaml')).config)
      : null;
  const log: string[] = [];
  const gateway = await start(config, {
    log: createLog({ format: 'json', level: 'debug', write: (line) => void log.push(line) }),
  });
  const control =
    stores === null
      ? gateway.control!
      : createControl({ ...stores, clock: systemClock, instance: null, routes: () => null });
  const { administration } = control;
  const createAccount = async (fields: { name: string; role: string }) => {
    const made = await administration.createServiceAccount(owner, {
      ...{ description: '', withoutApproval: true },
      ...fields,
    });
    return { id: made.account.id, token: made.token };
  };
  await ensureRole(administration);
  const account = { name: `caller-${gateway.instance.slice(-8)}` };
  const { id, token } = await createAccount({ name: account.name, role: 'tester' });
  const proxy = gateway.addresses.proxy!;
  return {
    gateway,
    config,
    text,
    url: `${proxy.secure ? 'https' : 'http'}://localhost:${proxy.port}`,
    port: proxy.port,
    opsUrl: `http://127.0.0.1:${gateway.addresses.ops!.port}`,
    caFile: join(dataDir, 'ca.pem'),
    dataDir,
    account: { id, name: account.name },
    token,
    administration,
    control,
    log,
    createAccount,
    events: () => allEvents(gateway, control),
    stop: async () => {
      closeRawClients(proxy.port);
      await gateway.close();
      await stores?.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function ensureRole(administration: Administration): Promise<void> {
  const roles = await administration.listRoles(owner, {});
  if (roles.some((role) => role.name === 'tester')) return;
  await administration.createRole(owner, {
    name: 'tester',
    description: '',
    permissions: ['test:*'],
  });
}

/** The whole log through the port that the command line reads. */
async function allEvents(gateway: Gateway, control: Control): Promise<readonly AuditEvent[]> {
  await recorded(gateway);
  return (await wholeLog(control)).map((line) => JSON.parse(line) as AuditEvent);
}

/** Until nothing waits to be recorded. */
async function recorded(gateway: Gateway): Promise<void> {
  for (const endMs = performance.now() + RECORDED_MS; performance.now() < endMs; ) {
    if (/^sallyport_audit_pending 0$/m.test(await gateway.metrics.text())) return;
    await sleep(20);
  }
  throw new Error('events were still pending after half a minute');
}
