/**
 * `npm run prove -- outage`: Redis stands still for a minute while an account that is known makes
 * calls whose record must be accepted. None may fail. Then the spool is replayed, under the same
 * calls. `OUTAGE_RATE`, `OUTAGE_SECONDS`, `OUTAGE_DURABILITY` take the place of 2,000 a second,
 * 60 s and `store`. Result: docs/RELIABILITY.md.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../support/redis-replication.ts';
import { redisMissing, startRedis } from '../support/redis-server.ts';
import { type GateProcess, openGates } from '../support/truth/gates.ts';
import { type PacedCall, PacedLoad, startQuickUpstream } from '../support/truth/paced-load.ts';
import { storedInRedis } from '../support/truth/raw-record.ts';

const DOCUMENT = new URL('../../docs/RELIABILITY.md', import.meta.url);
const [BEGIN, END] = ['<!-- outage: begin -->', '<!-- outage: end -->'];
const RATE = Number(process.env.OUTAGE_RATE ?? 2000);
const AWAY_MS = 1000 * Number(process.env.OUTAGE_SECONDS ?? 60);
const DURABILITY = process.env.OUTAGE_DURABILITY ?? 'store';
const CONNECTIONS = 64;
const QUIET_MS = 10_000;
const LIMIT_MS = 600_000;

interface Outcome {
  readonly calls: readonly PacedCall[];
  /** Moments of `performance.now()`. */
  readonly awayMs: number;
  readonly backMs: number;
  readonly replayedMs: number;
  /** Permits that are on record, and the events of all. */
  readonly permits: number;
  readonly events: number;
  readonly forwarded: number;
}

async function outage(): Promise<Outcome> {
  const upstream = await startQuickUpstream();
  const redis = await startRedis({ appendOnly: 'unsynced' });
  const audit = { durability: DURABILITY };
  const gates = await openGates(redis.url, upstream.url, { leaseMs: 120_000, audit });
  try {
    const gate = await gates.start('one');
    const load = new PacedLoad(gate.port, gates.token);
    await load.start(RATE, CONNECTIONS);
    await sleep(QUIET_MS);
    const awayMs = performance.now();
    redis.pause();
    await sleep(AWAY_MS);
    redis.resume();
    const backMs = performance.now();
    await replayed(gate);
    const replayedMs = performance.now();
    await sleep(QUIET_MS);
    await load.stop(10_000);
    await gate.end('SIGTERM');
    const events = (await storedInRedis(redis.port)).map(({ event }) => event);
    const permits = events.filter(({ decision }) => decision === 'permit').length;
    const found = { permits, events: events.length, forwarded: upstream.requests() };
    return { calls: load.calls, awayMs, backMs, replayedMs, ...found };
  } finally {
    await gates.stop();
    await redis.stop();
    upstream.stop();
  }
}

const AWAY = 'Redis takes no audit events';
const BACK = 'Redis takes audit events again, and has what was in the spool';

/** Until the gate says that Redis has what was in the spool. */
async function replayed(gate: GateProcess): Promise<void> {
  const told = (words: string) => gate.log().split(words).length - 1;
  await until('all is replayed', async () => told(AWAY) > 0 && told(AWAY) === told(BACK), LIMIT_MS);
}

/** `p50 / p99 / longest` in ms. */
function latency(calls: readonly PacedCall[]): string {
  const took = calls.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  const at = (share: number) => (took[Math.floor(share * (took.length - 1))] ?? 0).toFixed(1);
  return `${at(0.5)} / ${at(0.99)} / ${at(1)}`;
}

function rowOf({ calls, awayMs, backMs, replayedMs, ...found }: Outcome): readonly string[] {
  const between = (from: number, to: number) =>
    latency(calls.filter(({ atMs }) => atMs >= from && atMs < to));
  const failed = calls.filter(({ status }) => status !== 200).length;
  const missing = calls.length - failed - found.permits;
  return [
    `\`${DURABILITY}\``,
    `${RATE}/s`,
    `${AWAY_MS / 1000} s`,
    `${failed} of ${calls.length}`,
    String(Math.max(0, missing)),
    `${((replayedMs - backMs) / 1000).toFixed(1)} s`,
    between(0, awayMs),
    between(awayMs, backMs),
    between(backMs, replayedMs),
    between(replayedMs, Number.POSITIVE_INFINITY),
    `${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores, load ${loadavg()[0]?.toFixed(1)}`,
  ];
}

const HEADINGS = [
  'durability',
  'calls',
  'Redis away for',
  'failed',
  'permits not on record',
  'replayed after',
  'p50 / p99 / longest ms: before',
  'meanwhile',
  'during the replay',
  'after it',
  'when',
];
const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;

function write(row: readonly string[]): void {
  const head = [line(HEADINGS), line(HEADINGS.map(() => '---'))];
  const text = readFileSync(DOCUMENT, 'utf8');
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin === -1 || end < begin) throw new Error(`${DOCUMENT.pathname} has lost its ${BEGIN}`);
  const old = text
    .slice(begin, end)
    .split('\n')
    .filter((one) => one.startsWith('| ') && !head.includes(one))
    .filter((one) => !one.startsWith(`| ${row[0]} |`));
  const table = [...head, ...[...old, line(row)].sort()].join('\n');
  writeFileSync(DOCUMENT, `${text.slice(0, begin)}${BEGIN}\n${table}\n${text.slice(end)}`);
}

const missing = redisMissing();
if (missing === null) {
  const outcome = await outage();
  const row = rowOf(outcome);
  console.log(HEADINGS.map((heading, n) => `${heading}: ${row[n]}`).join('\n'));
  write(row);
  if (!row[3]!.startsWith('0 of') || row[4] !== '0') process.exitCode = 1;
} else console.log(`skipped: ${missing}`);
