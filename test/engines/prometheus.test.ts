import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { owner, startGateway, type TestGateway } from '../support/gateway.ts';
import { type OtlpReceiver, startOtlpReceiver } from '../support/otlp-receiver.ts';
import { expressionsOf, type Prometheus, startPrometheus } from '../support/prometheus.ts';
import { OK, type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';
import { type RedisServer, redisMissing, startRedis } from '../support/redis-server.ts';
import { findProgram, requireOrSkip } from '../support/system.ts';

const LIMIT = { timeout: 60_000, interval: 300 };
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const config = join(import.meta.dirname, '../../config');
const RULES = ['recording', 'alerts'].map((name) => join(config, 'prometheus', `${name}.yml`));
const DASHBOARDS = ['sallyport', 'instance'].map((name) => join(config, 'grafana', `${name}.json`));

interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly annotations?: { readonly runbook?: string };
}

const rules = RULES.flatMap((file) =>
  (parse(readFileSync(file, 'utf8')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
    ({ rules }) => rules,
  ),
);
const alerts = rules.filter(({ alert }) => alert !== undefined);

const DIRECTIONS = ['request', 'response'] as const;
const bytesOf = (direction: string) => `sallyport_body_bytes_total{direction="${direction}"}`;

/** One gate of one process has no workers. */
const OF_WORKERS = /sallyport_worker/;

let redis: RedisServer;
let upstream: RawUpstream;
let gate: TestGateway;
let prometheus: Prometheus;
let collector: OtlpReceiver;
let going = true;
let load: Promise<unknown> = Promise.resolve();

beforeAll(async () => {
  if (redisMissing() !== null || findProgram('prometheus') === null) return;
  redis = await startRedis();
  upstream = await startRawUpstream({ answer: ({ line }) => (line.includes('/hang') ? [] : OK) });
  collector = await startOtlpReceiver();
  gate = await startGateway({
    upstreams: { api: { addresses: [upstream.url] } },
    store: { url: redis.url },
    admin: {},
    plaintext: true,
    config: { telemetry: { topAccounts: 5, otlp: { endpoint: collector.url, ratio: 0.5 } } },
  });
  prometheus = await startPrometheus(new URL(gate.opsUrl).host, RULES);
  load = calls();
});

afterAll(async () => {
  going = false;
  await load;
  await prometheus?.stop();
  await gate?.stop();
  await collector?.stop();
  await upstream?.stop();
  await redis?.stop();
});

/** Permitted, refused, and one that is revoked, until the test is over. */
async function calls(): Promise<void> {
  await gate.createAccount({ name: 'leaver', role: 'tester' });
  const { administration } = gate.gateway.control!;
  for (let round = 0; going; round += 1) {
    for (const token of [gate.token, gate.token, 'sp_unknown'])
      await fetch(`${gate.url}/x`, {
        method: 'POST',
        body: 'content',
        headers: { authorization: `Bearer ${token}` },
      }).then((response) => response.arrayBuffer());
    // Again and again: an increase is seen between two scrapes.
    if (round % 40 === 20) await administration.deactivateAccount(owner, { name: 'leaver' });
    if (round % 40 === 39) await administration.activateAccount(owner, { name: 'leaver' });
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

it('answers every question of the dashboards and of the recording rules with data', async (ctx) => {
  requireOrSkip(ctx, 'redis-server', 'prometheus');
  const asked = [
    ...DASHBOARDS.flatMap(expressionsOf),
    ...rules.flatMap(({ record, expr }) => (record === undefined ? [] : [record, expr])),
    // An alert answers nothing while all is well: what it is made of is there.
    ...alerts.flatMap(({ expr }) => expr.match(/\bsallyport[\w:]+\b/g) ?? []),
  ].filter((expression) => !OF_WORKERS.test(expression));
  expect(asked.length).toBeGreaterThan(80);
  const left = new Set(asked);
  await vi.waitFor(async () => {
    for (const expression of left) {
      const values = await prometheus.query(expression);
      if (values.some((value) => !Number.isNaN(value))) left.delete(expression);
    }
    expect([...left]).toEqual([]);
  }, LIMIT);
});

it('leads from a bucket to a trace that the collector has', async (ctx) => {
  requireOrSkip(ctx, 'redis-server', 'prometheus');
  await vi.waitFor(async () => {
    const named = await prometheus.exemplars('sallyport_request_duration_seconds_bucket');
    const known = new Set(collector.spans.map(({ traceId }) => traceId));
    expect(named.some((traceId) => known.has(traceId))).toBe(true);
  }, LIMIT);
});

it('fires no alert at a gate that is well', async (ctx) => {
  requireOrSkip(ctx, 'redis-server', 'prometheus');
  // How long things take is the test machine's, and half of these calls are refused.
  const others = alerts.filter(({ expr }) => !/:p99|:refusals/.test(expr));
  expect(others.length).toBeGreaterThan(12);
  for (const { alert, expr } of others) expect(await prometheus.query(expr), alert).toEqual([]);
});

const figure = async (sample: string): Promise<number | null> => {
  const text = await (await fetch(`${gate.opsUrl}/metrics`)).text();
  const line = text.split('\n').find((one) => one.startsWith(`${sample} `));
  return line === undefined ? null : Number(line.slice(sample.length + 1));
};

it('counts the calls under way until they have ended, and what they carried', async (ctx) => {
  requireOrSkip(ctx, 'redis-server', 'prometheus');
  going = false;
  await load;
  const inFlight = () => figure('sallyport_calls_in_flight');
  await vi.waitFor(async () => expect(await inFlight()).toBe(0), LIMIT);
  const headers = { authorization: `Bearer ${gate.token}` };
  const leaving = new AbortController();
  const left = fetch(`${gate.url}/hang`, { headers, signal: leaving.signal }).catch(() => null);
  await vi.waitFor(async () => expect(await inFlight()).toBe(1), LIMIT);
  leaving.abort();
  await left;
  await vi.waitFor(async () => expect(await inFlight()).toBe(0), LIMIT);
  const before = await Promise.all(DIRECTIONS.map((direction) => figure(bytesOf(direction))));
  await (await fetch(`${gate.url}/x`, { method: 'POST', body: 'content', headers })).text();
  const after = [before[0]! + 7, before[1]! + 2];
  await vi.waitFor(async () => {
    expect(await Promise.all(DIRECTIONS.map((one) => figure(bytesOf(one))))).toEqual(after);
  }, LIMIT);
});

it('says that a store does not answer, until it does again', async (ctx) => {
  requireOrSkip(ctx, 'redis-server', 'prometheus');
  const up = () => figure('sallyport_store_up{role="registry"}');
  const away = alerts.find(({ alert }) => alert === 'SallyportStoreAway')!;
  expect(await up()).toBe(1);
  redis.pause();
  await vi.waitFor(async () => expect(await up()).toBe(0), LIMIT);
  await vi.waitFor(async () => expect(await prometheus.query(away.expr)).not.toEqual([]), LIMIT);
  redis.resume();
  await vi.waitFor(async () => expect(await up()).toBe(1), LIMIT);
});

it('has alerts that fire for what they are named for, each with a runbook', (ctx) => {
  requireOrSkip(ctx, 'promtool');
  const file = join(config, 'prometheus', 'rules-test.yml');
  const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', file], {
    encoding: 'utf8',
  });
  expect(status, `${stdout}${stderr}`).toBe(0);
  const tested = readFileSync(file, 'utf8');
  const runbooks = readFileSync(join(config, '../docs/RUNBOOKS.md'), 'utf8');
  for (const { alert, annotations } of alerts) {
    expect(tested).toContain(`alertname="${alert}"`);
    expect(runbooks).toContain(`\n## ${alert}\n\n- **What has happened.**`);
    expect(annotations?.runbook).toBe(`docs/RUNBOOKS.md#${alert?.toLowerCase()}`);
  }
});
