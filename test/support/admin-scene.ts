import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Account } from '../../src/account/model.ts';
import { createAdministration } from '../../src/admin/administration.ts';
import type { OpenStores } from '../../src/admin/stores.ts';
import { systemClock } from '../../src/clock.ts';
import { parseConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/schema.ts';
import { createContext } from '../../src/gateway/context.ts';
import { openStores } from '../../src/gateway/stores/open.ts';
import type { RegistryStore } from '../../src/registry/port.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { ensureLocalCertificate } from '../../src/tls/local-ca.ts';
import { account, commitOf, creation, role, team } from '../contract/registry-records.ts';
import { batchOf } from './audit-batch.ts';
import { Browser, PASSWORD } from './console.ts';
import { freePort } from './free-port.ts';
import { owner } from './gateway.ts';
import { fillRegistry } from './large-registry.ts';
import { startRawUpstream } from './raw-upstream.ts';
import { until } from './redis-replication.ts';
import { openWithRegistry } from './registry.ts';
import type { Turns } from './turn-probe.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const PROBE = fileURLToPath(new URL('./turn-probe.ts', import.meta.url));
/** As bin/sallyport starts a gate. */
const NODE_WORDS = [
  '--min-semi-space-size=16',
  '--max-semi-space-size=16',
  '--heap-growing-percent=200',
];
const OPEN_MS = 1_800_000;
const SOCKET_MS = 10_000;
/** Longer than idle connections are opened for. */
const IDLE_MS = 3_600_000;
const BATCH = 64;
const EVENTS_AT_ONCE = 1_000;
const DAY_MS = 86_400_000;
/** Teams that have members, so that they have many. */
const MEMBERSHIPS = 50;

export interface AdminSceneOptions {
  readonly accounts: number;
  readonly roles: number;
  readonly teams: number;
  readonly routes: number;
  readonly events: number;
  readonly workers?: number;
  /** That one client address may have open. */
  readonly connections?: number;
  /** Null: the embedded store. */
  readonly redisUrl: string | null;
  /** What accounts there are, where they are written as rows and not by a change each. */
  readonly accountOf?: (n: number) => Account;
  /** What the n-th route asks for; default: the same for all. */
  readonly permissionOf?: (n: number) => string;
  /** Changes to this role need a second administrator. */
  readonly protectedRole?: string;
}

/** A gate in a process of its own with a large registry and a long record. */
export interface AdminScene {
  readonly dataDir: string;
  readonly origin: string;
  /** Of the proxy. */
  readonly port: number;
  readonly token: string;
  /** Of pages, signed in as an administrator. */
  readonly browser: Browser;
  readonly pids: readonly number[];
  api(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<SceneAnswer>;
  ops(path: string): Promise<string>;
  /** One call through the gate. */
  call(path: string): Promise<number>;
  /** The same of somebody else, with all of the answer. */
  through(path: string, token: string): Promise<SceneAnswer>;
  /** The longest turns of each process of the gate while `work` is done. */
  turns(work: () => Promise<unknown>): Promise<readonly Turns[]>;
  /** Writes the configuration anew, with so many routes, and waits until it is in force. */
  reload(routes: number): Promise<void>;
  stop(): Promise<void>;
}

export async function openAdminScene(options: AdminSceneOptions): Promise<AdminScene> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-turns-'));
  const dataDir = join(folder, 'data');
  mkdirSync(dataDir, { mode: 0o700 });
  const upstream = await startRawUpstream({
    answer: () => [{ send: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok' }],
  });
  const { certificateFile, keyFile, caFile } = await ensureLocalCertificate(folder, Date.now());
  const [proxyPort, adminPort, opsPort] = [await freePort(), await freePort(), await freePort()];
  const file = join(folder, 'sallyport.yaml');
  const write = (routes: number) => {
    const certificates = [{ certificateFile, keyFile }];
    const text = JSON.stringify({
      instance: { name: 'turns', dataDir, workers: options.workers ?? 1, lameDuckMs: 0 },
      listen: {
        proxy: { address: `127.0.0.1:${proxyPort}`, tls: { certificates } },
        admin: { address: `127.0.0.1:${adminPort}`, tls: { certificates } },
        ops: { address: `127.0.0.1:${opsPort}` },
      },
      store:
        options.redisUrl === null ? { kind: 'embedded' } : { kind: 'redis', url: options.redisUrl },
      ...(options.connections === undefined
        ? {}
        : {
            limits: {
              connections: options.connections,
              connectionsPerAddress: options.connections,
              idleTimeoutMs: IDLE_MS,
            },
          }),
      ...(options.protectedRole === undefined
        ? {}
        : { console: { approvals: { roles: [options.protectedRole] } } }),
      upstreams: { raw: { addresses: [upstream.url] } },
      routes: Array.from({ length: routes }, (_, n) => ({
        name: `route-${n}`,
        path: `/part-${n}/**`,
        methods: ['GET'],
        application: 'any',
        permission: options.permissionOf?.(n) ?? 'test:all',
        upstream: 'raw',
      })),
    });
    writeFileSync(file, text);
    return parseConfig(text, file).config;
  };
  const token = await seed(write(options.routes), options);
  const child = spawn(process.execPath, [...NODE_WORDS, MAIN, 'serve', '--config', file], {
    cwd: folder,
    env: {
      ...process.env,
      NODE_OPTIONS: `--import=${PROBE}`,
      TURN_PROBE_FOLDER: folder,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const ops = async (path: string) =>
    (await fetch(`http://127.0.0.1:${opsPort}${path}`)).text().catch(() => '');
  const stop = async () => {
    await end(child);
    await upstream.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  const ready = async () => {
    if (child.exitCode !== null) throw new Error(`the gate ended: ${log}`);
    return /"ready":true/.test(await ops('/readyz').catch(() => ''));
  };
  await until('the gate is ready', ready, OPEN_MS).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  const browser = new Browser(adminPort);
  const signedIn = await browser.signIn('alice', PASSWORD);
  if (signedIn.status !== 303) throw new Error(`nobody could sign in: ${signedIn.status} ${log}`);
  const ca = readFileSync(caFile, 'utf8');
  const pids = pidsOf(child, options.workers ?? 1);
  return {
    dataDir,
    origin: `https://localhost:${adminPort}`,
    port: proxyPort,
    token,
    browser,
    pids,
    ops,
    api: (method, path, body, headers) =>
      send({ port: adminPort, ca, token, method, path: `/api/v1${path}`, body, headers }),
    call: async (path) => (await send({ port: proxyPort, ca, token, method: 'GET', path })).status,
    through: (path, its) => send({ port: proxyPort, ca, token: its, method: 'GET', path }),
    turns: async (work) => {
      const ends = await Promise.all(pids.map((pid) => measure(join(folder, `${pid}.sock`))));
      await work();
      return Promise.all(ends.map((finish) => finish()));
    },
    reload: async (routes) => {
      const before = log.length;
      write(routes);
      await until(
        'the configuration is read again',
        async () => log.slice(before).includes('was read again'),
        OPEN_MS,
      );
    },
    stop,
  };
}

/** Answers the token of an administrator who may call every route. */
async function seed(config: Config, options: AdminSceneOptions): Promise<string> {
  const stores = await openFilled(config, options);
  const administration = createAdministration({ ...stores, clock: systemClock, instance: null });
  const permissions = ['test:*', 'sallyport:*'];
  await administration.createRole(owner, { name: 'everything', description: '', permissions });
  const { protectedRole: name } = options;
  // What whoever comes by the API may give to others.
  if (name !== undefined)
    await administration.createRole(owner, { name, permissions: ['test:guarded'] });
  const { token } = await administration.createServiceAccount(owner, {
    name: 'caller',
    description: '',
    role: 'everything',
  });
  await administration.createUser(owner, { name: 'alice', role: 'everything', password: PASSWORD });
  // Lists are made by then, and are no part of what is measured.
  await stores.store.tendLists(() => true);
  await stores.close();
  await seedRecord(config, options.events);
  return token;
}

async function openFilled(config: Config, options: AdminSceneOptions): Promise<OpenStores> {
  const { accounts, accountOf: rowOf } = options;
  const stores = await openWithRegistry(config);
  await seedPolicy(stores.store, options);
  if (rowOf === undefined) {
    await seedAccounts(stores.store, options);
    return stores;
  }
  await stores.close();
  await fillRegistry(config, accounts, rowOf);
  return openWithRegistry(config);
}

async function seedPolicy(store: RegistryStore, options: AdminSceneOptions): Promise<void> {
  const roles = Array.from({ length: options.roles }, (_, n) =>
    role(`role-${n}`, [`test:part-${n}`]),
  );
  const teams = Array.from({ length: options.teams }, (_, n) => team(`team-${n}`, [`app-${n}`]));
  for (const record of roles)
    await store.commit(commitOf([{ kind: 'role', key: record.name, record }]));
  for (const record of teams)
    await store.commit(commitOf([{ kind: 'team', key: record.name, record }]));
}

async function seedAccounts(store: RegistryStore, options: AdminSceneOptions): Promise<void> {
  for (let from = 0; from < options.accounts; from += BATCH)
    await store.commit(
      together(
        Array.from({ length: Math.min(BATCH, options.accounts - from) }, (_, n) =>
          accountOf(from + n, options),
        ),
      ),
    );
}

function accountOf(n: number, { roles, teams }: AdminSceneOptions): Account {
  const at = (days: number) => new Date(Date.now() - days * DAY_MS + n).toISOString();
  return account(n, {
    kind: n % 50 === 49 ? 'user' : 'service',
    description: n % 10 === 0 ? 'Belongs to the nightly build' : '',
    status: n % 20 === 0 ? 'inactive' : 'active',
    role: `role-${n % roles}`,
    teams: [{ team: `team-${n % Math.min(teams, MEMBERSHIPS)}`, role: `role-${(n + 1) % roles}` }],
    createdAt: at(400 - (n % 390)),
    updatedAt: at(n % 300),
    expiresAt: n % 2 === 0 ? at((n % 500) - 400) : null,
    ...(n % 50 === 49 ? { token: null } : {}),
  });
}

/** As administration creates them, in one step. */
export function together(accounts: readonly Account[]) {
  const commits = accounts.map((one) => {
    const made = creation(one);
    const user = `account:${one.id}`;
    const targets = one.teams.flatMap((in_) => [`team:${in_.team}`, `role:${in_.role}`]);
    const added = [...made.references.add, ...targets.map((target) => ({ target, user }))];
    return { ...made, references: { add: added, remove: [] } };
  });
  return commitOf(
    commits.flatMap(({ changes }) => changes),
    {
      expects: commits.flatMap(({ expects }) => expects),
      claims: { take: commits.flatMap(({ claims }) => claims.take), drop: [] },
      references: { add: commits.flatMap(({ references }) => references.add), remove: [] },
      moreAudit: commits.map(({ audit }) => audit),
    },
  );
}

/** Calls of some accounts, as a gate records them. */
async function seedRecord(config: Config, events: number): Promise<void> {
  const log = createLog({ format: 'json', level: 'error', write: () => undefined });
  const gate = createContext(config, log);
  const stores = await openStores(gate);
  const beganMs = Date.now() - events;
  for (let from = 0; from < events; from += EVENTS_AT_ONCE) {
    const entries = Array.from({ length: Math.min(EVENTS_AT_ONCE, events - from) }, (_, n) => {
      const seq = from + n + 1;
      const [id, time] = [`call-${seq}`, new Date(beganMs + seq).toISOString()];
      const n100 = seq % 100;
      const account = { id: `A${n100}`, name: `account-${n100}`, kind: 'service' };
      const what = { route: `route-${n100}`, method: 'GET', path: `/part-${n100}/x` };
      const told =
        seq % 10 === 0
          ? { decision: 'refusal', reason: 'route-unknown', status: 404 }
          : { decision: 'permit', reason: 'permitted', permission: `test:part-${n100}` };
      const asked = { requestId: id, clientAddress: '192.0.2.7', userAgent: 'seed/1' };
      const decision = { id, time, type: 'call', phase: 'decision', instance: 'seed-1', seq };
      return {
        event: JSON.stringify({ ...decision, account, ...what, ...told, ...asked }),
        account: null,
      };
    });
    for (let tries = 0; ; tries += 1)
      try {
        await stores.log.append(batchOf('seed-1', from + 1, entries));
        break;
      } catch (error) {
        if (tries > 50) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
  }
  await gate.owned.disposeAsync();
}

/** Begins a measurement; what it answers ends it. */
async function measure(path: string): Promise<() => Promise<Turns>> {
  const socket = connect({ path, allowHalfOpen: true });
  socket.setTimeout(0);
  await Promise.race([
    once(socket, 'connect'),
    new Promise((_, reject) => setTimeout(() => reject(new Error(`no probe: ${path}`)), SOCKET_MS)),
  ]);
  let text = '';
  socket.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
  });
  const ended = once(socket, 'end');
  return async () => {
    socket.end();
    await ended;
    return JSON.parse(text) as Turns;
  };
}

/** Of the gate, or of its workers and then their supervisor. */
function pidsOf(child: ChildProcess, workers: number): readonly number[] {
  const pid = child.pid ?? 0;
  if (workers === 1) return [pid];
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return [...children.split(' ').map(Number), pid];
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

interface Sending {
  readonly port: number;
  readonly ca: string;
  readonly token: string;
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export interface SceneAnswer {
  readonly status: number;
  readonly text: string;
  readonly headers: IncomingHttpHeaders;
}

function send({ port, ca, token, method, path, body, headers: more = {} }: Sending) {
  return new Promise<SceneAnswer>((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...more,
    };
    const options = { host: 'localhost', port, ca, method, path, headers, agent: false } as const;
    const sent = request(options, (answer) => {
      const pieces: Buffer[] = [];
      answer.on('data', (piece: Buffer) => pieces.push(piece));
      answer.once('error', reject);
      answer.once('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          text: Buffer.concat(pieces).toString('utf8'),
          headers: answer.headers,
        }),
      );
    });
    sent.once('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
