/**
 * `npm run prove -- many-instances [INSTANCES [SECONDS]]`: 200 instances (or as many as are asked
 * for) on one registry, each a replica with its own lease, acknowledgements and feed connection, in
 * a few processes. Prints what they cost Redis when nothing changes and with ten changes a second,
 * and writes it into docs/SCALE.md. What a change costs in all is the difference between the two;
 * how long it takes to reach the last instance is what the receipt waits for.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/clock.ts';
import { RedisRegistryStore } from '../../src/registry/redis/registry.ts';
import { RedisRegistrySource } from '../../src/registry/redis/source.ts';
import { Replica } from '../../src/registry/replica/replica.ts';
import { connectRedis, type RedisConnection } from '../../src/store/redis.ts';
import { account, creation, digestOf, idOf, role, update } from '../contract/registry-records.ts';
import { redisMissing, startRedis } from '../support/redis-server.ts';
import { conditions, writeSection } from '../support/scale-document.ts';

const PREFIX = 'sallyport';
const LEASE_MS = 10_000;
const PROCESSES = 4;
const CHANGES_PER_SECOND = 10;
/** Everybody has called everywhere: each change is of an account that each instance holds. */
const ACCOUNTS = 100;
const STEPS_MS = 60_000;

if (process.send !== undefined) await child();
else await prove(Number(process.argv[2] ?? 200), Number(process.argv[3] ?? 20));

/** What Redis has counted so far. */
interface Counters {
  readonly atMs: number;
  readonly cpuSeconds: number;
  readonly commands: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly calls: Readonly<Record<string, number>>;
}

async function prove(instances: number, seconds: number): Promise<void> {
  const missing = redisMissing();
  if (missing !== null) return console.log(`skipped: ${missing}`);
  const server = await startRedis({ appendOnly: true });
  const root = connect(server.url, 'root');
  const store = new RedisRegistryStore(connect(server.url, 'store'), {
    keyPrefix: PREFIX,
    name: 'store',
  });
  const children: ChildProcess[] = [];
  try {
    await store.initialise([role('viewer')]);
    for (let n = 0; n < ACCOUNTS; n += 1) await store.commit(creation(account(n)));
    for (let n = 0; n < PROCESSES; n += 1) {
      const share = Math.floor(instances / PROCESSES) + (n < instances % PROCESSES ? 1 : 0);
      children.push(fork(import.meta.filename, [server.url, String(n), String(share)]));
    }
    await Promise.all(
      children.map((one) => once(one, 'message', { signal: AbortSignal.timeout(STEPS_MS) })),
    );
    const present = (await store.instances()).items.length;
    const idle = await measured(root, seconds, () => sleep(seconds * 1_000));
    const latenciesMs: number[] = [];
    const busy = await measured(root, seconds, () => change(store, seconds, latenciesMs));
    const memory = await info(root, 'memory');
    report({
      instances: present,
      seconds,
      idle,
      busy,
      latenciesMs,
      clientBytes: Number(memory.get('mem_clients_normal')),
    });
  } finally {
    for (const one of children) one.kill('SIGTERM');
    await Promise.all(
      children.map((one) =>
        one.exitCode === null && one.signalCode === null ? once(one, 'exit') : null,
      ),
    );
    root.close();
    await store.close();
    await server.stop();
  }
}

/** Ten changes a second, each waited for until every instance has applied and acknowledged it. */
async function change(
  store: RedisRegistryStore,
  seconds: number,
  latenciesMs: number[],
): Promise<void> {
  const versions = new Map<number, number>();
  const waits: Promise<void>[] = [];
  const beginMs = performance.now();
  for (let n = 0; n < seconds * CHANGES_PER_SECOND; n += 1) {
    await sleep(Math.max(0, beginMs + (n * 1_000) / CHANGES_PER_SECOND - performance.now()));
    const which = n % ACCOUNTS;
    const version = versions.get(which) ?? (await store.account(idOf(which))).account!.version;
    const sentMs = performance.now();
    const token = { digest: digestOf(1_000 + n), createdAt: '2026-01-01T00:00:00.000Z' };
    const result = await store.commit(update(account(which, { token }), version));
    if (!result.committed) throw new Error(result.conflict);
    versions.set(which, result.seq);
    // One in ten is followed up: asking how far everybody is costs as well, and an administrator
    // asks for what revokes.
    if (n % 10 === 0) {
      const members = (result.members ?? []).map(({ instance }) => instance);
      waits.push(
        acknowledged(store, members, result.seq).then(
          () => void latenciesMs.push(performance.now() - sentMs),
        ),
      );
    }
  }
  await Promise.all(waits);
}

async function acknowledged(
  store: RedisRegistryStore,
  members: readonly string[],
  seq: number,
): Promise<void> {
  const deadlineMs = performance.now() + STEPS_MS;
  while ((await store.progress(members)).some(({ applied }) => (applied?.seq ?? 0) < seq)) {
    if (performance.now() > deadlineMs) throw new Error('not acknowledged in a minute');
    await sleep(5);
  }
}

async function measured(root: RedisConnection, seconds: number, during: () => Promise<unknown>) {
  const before = await counters(root);
  await during();
  const after = await counters(root);
  const tookSeconds = (after.atMs - before.atMs) / 1_000;
  const per = (pick: (of: Counters) => number) => (pick(after) - pick(before)) / tookSeconds;
  const calls = Object.keys(after.calls).map(
    (name) => [name, per((of) => of.calls[name] ?? 0)] as const,
  );
  return {
    cpuPercent: per((of) => of.cpuSeconds) * 100,
    commands: per((of) => of.commands),
    bytesIn: per((of) => of.bytesIn),
    bytesOut: per((of) => of.bytesOut),
    calls: calls.filter(([, rate]) => rate * seconds > seconds).sort((a, b) => b[1] - a[1]),
  };
}

async function counters(root: RedisConnection): Promise<Counters> {
  const [cpu, stats, commands] = [
    await info(root, 'cpu'),
    await info(root, 'stats'),
    await info(root, 'commandstats'),
  ];
  return {
    atMs: performance.now(),
    cpuSeconds: Number(cpu.get('used_cpu_user')) + Number(cpu.get('used_cpu_sys')),
    commands: Number(stats.get('total_commands_processed')),
    bytesIn: Number(stats.get('total_net_input_bytes')),
    bytesOut: Number(stats.get('total_net_output_bytes')),
    calls: Object.fromEntries(
      [...commands].map(([name, text]) => [
        name.replace('cmdstat_', ''),
        Number(/calls=(\d+)/.exec(text)?.[1]),
      ]),
    ),
  };
}

async function info(root: RedisConnection, section: string): Promise<Map<string, string>> {
  const lines = String(await root.call('INFO', section)).split('\r\n');
  return new Map(
    lines
      .filter((line) => line.includes(':'))
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  );
}

interface Outcome {
  readonly instances: number;
  readonly seconds: number;
  readonly idle: Awaited<ReturnType<typeof measured>>;
  readonly busy: Awaited<ReturnType<typeof measured>>;
  readonly latenciesMs: number[];
  readonly clientBytes: number;
}

function report({ instances, seconds, idle, busy, latenciesMs, clientBytes }: Outcome): void {
  const rows = [
    [
      'processor, of one core',
      ...[idle, busy].map(({ cpuPercent }) => `${cpuPercent.toFixed(1)} %`),
    ],
    ['commands a second', ...[idle, busy].map(({ commands }) => commands.toFixed(0))],
    ['bytes a second to Redis', ...[idle, busy].map(({ bytesIn }) => bytesIn.toFixed(0))],
    ['bytes a second from Redis', ...[idle, busy].map(({ bytesOut }) => bytesOut.toFixed(0))],
    [
      'of these commands',
      ...[idle, busy].map(({ calls }) =>
        calls.map(([name, rate]) => `${name} ${rate.toFixed(0)}`).join(', '),
      ),
    ],
  ];
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  const at = (share: number) =>
    (sorted[Math.ceil(sorted.length * share) - 1] ?? Number.NaN).toFixed(0);
  const lines = [
    conditions(
      `npm run prove -- many-instances ${instances} ${seconds}`,
      `${instances} instances in ${PROCESSES} processes, \`leaseMs: ${LEASE_MS}\`, ${seconds} s each`,
    ),
    '',
    `| | idle | ${CHANGES_PER_SECOND} changes a second |`,
    '| --- | --- | --- |',
    ...rows.map((cells) => `| ${cells.join(' | ')} |`),
    '',
    `From the sending of a change to the last of ${instances} acknowledgements as seen by who made it: p50 ${at(0.5)} ms, at most ${at(1)} ms (${sorted.length} changes, one in ten followed up). Connections hold ${(clientBytes / 1_048_576).toFixed(1)} MiB of Redis' memory.`,
  ];
  console.log(lines.join('\n'));
  writeSection('many-instances', lines.join('\n'));
}

/** A share of the instances, until SIGTERM. */
async function child(): Promise<void> {
  const [url = '', number = '', count = ''] = process.argv.slice(2);
  const made = Array.from({ length: Number(count) }, (_, n) => {
    const instance = `edge-${number}-${n}`;
    const source = new RedisRegistrySource(connect(url, instance), {
      keyPrefix: PREFIX,
      name: instance,
    });
    return {
      source,
      replica: new Replica({
        source,
        clock: systemClock,
        instance,
        leaseMs: LEASE_MS,
        maxAccounts: 1_000,
      }),
    };
  });
  const ended = once(process, 'SIGTERM');
  for (const { replica } of made) {
    await replica.start();
    for (const deadlineMs = performance.now() + STEPS_MS; !replica.current; ) {
      if (performance.now() > deadlineMs) throw new Error(`no lease: ${replica.status().why}`);
      await sleep(5);
    }
    await Promise.all(Array.from({ length: ACCOUNTS }, (_, n) => replica.lookup(idOf(n))));
  }
  process.send?.('ready');
  await ended;
  await Promise.all(made.map(({ replica }) => replica.close()));
  await Promise.all(made.map(({ source }) => source.close()));
  process.disconnect?.();
}

function connect(url: string, name: string): RedisConnection {
  return connectRedis({
    url,
    username: null,
    password: null,
    tls: null,
    name,
    commandTimeoutMs: 5_000,
  });
}
