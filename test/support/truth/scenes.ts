import { setTimeout as sleep } from 'node:timers/promises';
import { valuesOf } from '../http-bytes.ts';
import { startRawUpstream } from '../raw-upstream.ts';
import { until } from '../redis-replication.ts';
import { type RedisServer, startRedis } from '../redis-server.ts';
import { Callers } from './callers.ts';
import { type GateProcess, type Gates, type GatesOptions, openGates } from './gates.ts';
import type { Run } from './truth.ts';

const UNRECORDED = 'sallyport_audit_events_total{outcome="unrecorded"}';
/** Only what hangs takes so long. */
const LIMIT_MS = 90_000;

/** An upstream, a store, and gates in processes of their own before both. */
interface Stage {
  readonly gates: Gates;
  /** Null: the embedded store. */
  readonly redis: RedisServer | null;
  upstreamIds(): readonly string[];
  stop(): Promise<void>;
}

export type StoreName = 'Redis' | 'the embedded store';

async function openStage(store: StoreName, options: GatesOptions = {}): Promise<Stage> {
  const upstream = await startRawUpstream({
    answer: ({ line }) =>
      line.includes('/open')
        ? [{ send: 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf' }]
        : [{ send: 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell' }],
  });
  const redis = store === 'Redis' ? await startRedis() : null;
  const gates = await openGates(redis?.url ?? null, upstream.url, options);
  return {
    gates,
    redis,
    upstreamIds: () => upstream.requests.map((one) => valuesOf(one, 'x-request-id')[0] ?? ''),
    async stop() {
      await gates.stop();
      await redis?.stop();
      await upstream.stop();
    },
  };
}

/**
 * Redis stands still under load, and the spool is full before it goes on.
 *
 * @param forMs null: until answers without a record were counted
 */
export async function frozen(callers: number, forMs: number | null): Promise<Run> {
  // Accounts stay known: it is the record that is away.
  const stage = await openStage('Redis', {
    leaseMs: 120_000,
    audit: { spool: { maxBytes: 2 ** 20 } },
  });
  try {
    const gate = await stage.gates.start('frozen');
    const load = new Callers(stage.gates.token);
    load.start(gate.port, callers);
    await sleep(300);
    stage.redis?.pause();
    if (forMs !== null) await sleep(forMs);
    await until(
      'answers without a record',
      async () => (await gate.metric(UNRECORDED)) > 0,
      LIMIT_MS,
    );
    await sleep(300);
    stage.redis?.resume();
    const answered = async () => load.calls.findLast(({ status }) => status !== 503) !== undefined;
    await until('the record is back', answered, LIMIT_MS);
    const before = load.calls.length;
    await until('calls go on', async () => load.calls.length > before + 100, LIMIT_MS);
    await load.stop();
    const isWritten = async () => (await gate.metric('sallyport_audit_pending')) === 0;
    await until('all is written', isWritten, LIMIT_MS);
    const unrecorded = await gate.metric(UNRECORDED);
    await gate.end('SIGTERM');
    const { calls } = load;
    return { calls, upstream: stage.upstreamIds(), events: await stage.gates.events(), unrecorded };
  } finally {
    await stage.stop();
  }
}

const closes = (gate: GateProcess | null) => gate?.log().includes('ended without a word') === true;

export interface Killed {
  readonly run: Run;
  readonly dying: GateProcess;
  /** Null with the embedded store, which has one gate at a time. */
  readonly living: GateProcess | null;
  readonly after: GateProcess | null;
}

/** A gate under load ends without a word, beside one that lives; then that one too. */
export async function killed(
  store: StoreName,
  signals: readonly NodeJS.Signals[],
): Promise<Killed> {
  const stage = await openStage(store, { leaseMs: 2000 });
  const { gates } = stage;
  try {
    const dying = await gates.start('dying');
    const living = store === 'Redis' ? await gates.start('living') : null;
    const load = new Callers(gates.token);
    const listeners = new Callers(gates.token);
    // One call that stays open on an instance that dies, and one on an instance that lives.
    const streams = [dying, living].flatMap((gate) =>
      gate === null ? [] : [listeners.call(gate.port, 'GET', '/all/open')],
    );
    load.start(dying.port, 6);
    await until('calls are answered', async () => load.calls.length > 200, LIMIT_MS);
    await dying.end(...signals);
    await load.stop();
    // Closed by one that runs, or else by the next one that starts.
    const next = living ?? (await gates.start('next'));
    await until('what was open is closed', async () => closes(next), LIMIT_MS);
    if (living === null) await next.end('SIGTERM');
    await living?.end('SIGTERM', 'SIGTERM');
    await Promise.all(streams);
    await listeners.stop();
    const after = living === null ? null : await gates.start('after');
    if (after !== null) {
      await until('what the living one left is closed', async () => closes(after), LIMIT_MS);
      await after.end('SIGTERM');
    }
    const gone = new Set([dying, living].flatMap((gate) => (gate === null ? [] : [gate.instance])));
    const calls = [...load.calls, ...listeners.calls];
    const events = await gates.events();
    const run = { calls, upstream: stage.upstreamIds(), events, unrecorded: null, gone };
    return { run, dying, living, after };
  } finally {
    await stage.stop();
  }
}
