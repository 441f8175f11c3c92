import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { aggregatedText } from '../../../src/telemetry/aggregate.ts';
import { createMetrics, type Metrics } from '../../../src/telemetry/metrics.ts';
import type { MetricPiece } from '../../../src/telemetry/text.ts';

const create = (): Metrics => createMetrics({ processMetrics: false });

/** Samples by their name and labels as written, `name{a="b"}`. */
async function samples(metrics: Metrics): Promise<Map<string, number>> {
  const lines = (await metrics.text())
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [
      line.slice(0, line.lastIndexOf(' ')),
      Number(line.slice(line.lastIndexOf(' ') + 1)),
    ]),
  );
}

/** Names and label sets that dashboards and alerts are written against. */
const CONTRACT: Readonly<Record<string, { type: string; labels: readonly string[] }>> = {
  sallyport_requests_total: {
    type: 'counter',
    labels: ['route', 'method', 'status_class', 'reason'],
  },
  sallyport_request_duration_seconds: { type: 'histogram', labels: ['route'] },
  sallyport_overhead_seconds: { type: 'histogram', labels: [] },
  sallyport_upstream_duration_seconds: { type: 'histogram', labels: ['upstream'] },
  sallyport_upstream_connections: { type: 'gauge', labels: ['upstream', 'state'] },
  sallyport_upstream_healthy: { type: 'gauge', labels: ['upstream', 'address'] },
  sallyport_registry_cache_total: { type: 'counter', labels: ['result'] },
  sallyport_registry_lag_seconds: { type: 'gauge', labels: [] },
  sallyport_lease_remaining_seconds: { type: 'gauge', labels: [] },
  sallyport_revocation_seconds: { type: 'histogram', labels: [] },
  sallyport_audit_events_total: { type: 'counter', labels: ['outcome'] },
  sallyport_calls_in_flight: { type: 'gauge', labels: [] },
  sallyport_body_bytes_total: { type: 'counter', labels: ['direction'] },
  sallyport_upstream_retries_total: { type: 'counter', labels: ['upstream'] },
  sallyport_upstream_ejections_total: { type: 'counter', labels: ['upstream'] },
  sallyport_store_up: { type: 'gauge', labels: ['role'] },
  sallyport_store_command_seconds: { type: 'histogram', labels: ['role'] },
  sallyport_audit_append_seconds: { type: 'histogram', labels: [] },
  sallyport_audit_batch_events: { type: 'histogram', labels: [] },
  sallyport_ready: { type: 'gauge', labels: ['check'] },
  sallyport_check_warning: { type: 'gauge', labels: ['check'] },
  sallyport_config_info: { type: 'gauge', labels: ['sha256'] },
  sallyport_event_loop_delay_seconds: { type: 'histogram', labels: [] },
  sallyport_top_account_requests: { type: 'gauge', labels: ['account'] },
  sallyport_audit_pending: { type: 'gauge', labels: [] },
  sallyport_audit_spool_unreadable_files: { type: 'gauge', labels: [] },
  sallyport_audit_spool_bytes: { type: 'gauge', labels: [] },
  sallyport_audit_activity_lag_seconds: { type: 'gauge', labels: [] },
  sallyport_tls_certificate_expiry_timestamp_seconds: { type: 'gauge', labels: [] },
  sallyport_tunnels_open: { type: 'gauge', labels: [] },
  sallyport_client_connections: { type: 'gauge', labels: ['state'] },
  sallyport_audit_gaps_total: { type: 'counter', labels: [] },
  sallyport_webhook_deliveries_total: { type: 'counter', labels: ['hook', 'result'] },
  sallyport_accounts_expiring: { type: 'gauge', labels: ['days'] },
  sallyport_honey_tokens_presented_total: { type: 'counter', labels: [] },
  sallyport_trace_spans_total: { type: 'counter', labels: ['outcome'] },
  sallyport_tls_handshakes_total: { type: 'counter', labels: ['result'] },
  sallyport_limits_reached_total: { type: 'counter', labels: ['limit'] },
  sallyport_config_reloads_total: { type: 'counter', labels: ['result'] },
  sallyport_build_info: { type: 'gauge', labels: ['version', 'node'] },
};

function exercise(metrics: Metrics): void {
  const { requests, upstreams } = metrics;
  requests.count(requests.route('deploy'), requests.method('POST'), 201, 'permitted', 12, 0.07);
  upstreams.observe(upstreams.upstream('deployments'), 11);
  upstreams.retried(1);
  metrics.revocation(4);
  metrics.appended(2, 12);
  metrics.loopDelay(0.4);
  metrics.honeyToken();
  metrics.webhooks('siem', 'delivered');
  metrics.accounts.show(5);
  metrics.stores.registry.join({ connected: true });
  metrics.stores.registry.answered(0.7);
  metrics.connect({
    registryLagSeconds: () => 0,
    leaseRemainingSeconds: () => 29.5,
    auditPending: () => 3,
    tunnelsOpen: () => 2,
    accountsExpiring: () => [{ days: 14, count: 3 }],
    auditSpoolBytes: () => 0,
    auditSpoolUnreadable: () => 0,
    auditActivityLagSeconds: () => 0,
    certificateExpirySeconds: () => 1_800_000_000,
    checks: () => [{ name: 'registry', state: 'ok' }],
    configHash: () => '0123456789ab',
    clientConnections: () => ({ arriving: 1, idle: 2, active: 3 }),
    upstreamConnections: () => [{ upstream: 'deployments', state: 'idle', count: 2 }],
    upstreamAddresses: () => [{ upstream: 'deployments', address: '10.0.0.7:8080', usable: true }],
  });
}

describe('the exposition', () => {
  it('has exactly the metrics and labels of the contract', async () => {
    const metrics = create();
    exercise(metrics);
    const text = await metrics.text();
    const types = Object.fromEntries(
      [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]),
    );
    expect(types).toEqual(
      Object.fromEntries(Object.entries(CONTRACT).map(([name, { type }]) => [name, type])),
    );
    for (const key of (await samples(metrics)).keys()) {
      const [, name = '', labels = ''] = /^([^{]+)(?:\{(.*)\})?$/.exec(key) ?? [];
      const base = CONTRACT[name] === undefined ? name.replace(/_(bucket|sum|count)$/, '') : name;
      const names = [...labels.matchAll(/(\w+)="/g)]
        .map((match) => match[1])
        .filter((label) => label !== 'le');
      expect(names, key).toEqual(CONTRACT[base]?.labels);
    }
  });

  it('has the process and Node defaults beside them', async () => {
    const text = await createMetrics().text();
    for (const name of [
      'process_cpu_seconds_total',
      'process_resident_memory_bytes',
      'nodejs_eventloop_lag_seconds',
    ])
      expect(text).toContain(`# TYPE ${name} `);
  });

  it('shows nothing for a figure that nobody can give', async () => {
    const metrics = create();
    metrics.connect({ leaseRemainingSeconds: () => null });
    const names = [...(await samples(metrics)).keys()];
    expect(names.filter((name) => /lease|lag|pending|expiry/.test(name))).toEqual([]);
  });
});

describe('requests', () => {
  it('are counted by route, method, class and reason', async () => {
    const metrics = create();
    const { requests } = metrics;
    const deploy = requests.route('deploy');
    for (let i = 0; i < 3; i++)
      requests.count(deploy, requests.method('GET'), 200, 'permitted', 5, 0.1);
    requests.count(deploy, requests.method('GET'), 403, 'permission-denied', 1, 0.1);
    requests.count(requests.route(null), requests.method('BREW'), 401, 'token-missing', 1, 0.1);
    requests.count(deploy, requests.method('get'), 0, 'client-aborted', 1, -1);
    const counted = [...(await samples(metrics))].filter(([key]) =>
      key.startsWith('sallyport_requests_total'),
    );
    expect(Object.fromEntries(counted)).toEqual({
      'sallyport_requests_total{route="deploy",method="GET",status_class="2xx",reason="permitted"}': 3,
      'sallyport_requests_total{route="deploy",method="GET",status_class="4xx",reason="permission-denied"}': 1,
      'sallyport_requests_total{route="none",method="OTHER",status_class="4xx",reason="token-missing"}': 1,
      'sallyport_requests_total{route="deploy",method="OTHER",status_class="none",reason="client-aborted"}': 1,
    });
  });

  it('have durations in cumulative buckets, with sum and count', async () => {
    const metrics = create();
    const { requests } = metrics;
    const [a, b] = [requests.route('a'), requests.route('b')];
    for (const durationMs of [1, 4, 30, 1_000_000])
      requests.count(b, 0, 200, 'permitted', durationMs, 0.06);
    requests.count(a, 0, 200, 'permitted', 7, Number.NaN);
    const all = await samples(metrics);
    const bucket = (le: string) =>
      all.get(`sallyport_request_duration_seconds_bucket{route="b",le="${le}"}`);
    expect([
      bucket('0.001'),
      bucket('0.0025'),
      bucket('0.005'),
      bucket('0.05'),
      bucket('300'),
      bucket('+Inf'),
    ]).toEqual([1, 1, 2, 3, 3, 4]);
    expect(all.get('sallyport_request_duration_seconds_count{route="a"}')).toBe(1);
    expect(all.get('sallyport_request_duration_seconds_sum{route="b"}')).toBeCloseTo(1000.035, 6);
    expect(all.get('sallyport_overhead_seconds_count')).toBe(4);
  });

  it('of a route keep their number through a reload, and endless new names end in one series', () => {
    const { requests } = create();
    const first = requests.route('deploy');
    for (let i = 0; i < 20_000; i++) requests.route(`r${i}`);
    expect(requests.route('deploy')).toBe(first);
    expect(requests.route('r19999')).toBe(requests.route(null));
  });
});

it('calls a store up while it is connected to and answers', async () => {
  const metrics = create();
  const up = async () => (await samples(metrics)).get('sallyport_store_up{role="audit"}');
  const { audit } = metrics.stores;
  expect(await up(), 'no connection is meant to be there').toBeUndefined();
  const one = { connected: false };
  audit.join(one);
  expect(await up()).toBe(0);
  one.connected = true;
  expect(await up()).toBe(1);
  audit.unanswered();
  expect(await up()).toBe(0);
  audit.answered(1);
  expect(await up()).toBe(1);
});

it('says of each check whether it has failed, and whether it warns', async () => {
  const metrics = create();
  metrics.connect({
    checks: () => [
      { name: 'registry', state: 'failed' },
      { name: 'config', state: 'warning' },
      { name: 'audit', state: 'ok' },
    ],
  });
  const all = await samples(metrics);
  const said = ['registry', 'config', 'audit'].map((check) => [
    all.get(`sallyport_ready{check="${check}"}`),
    all.get(`sallyport_check_warning{check="${check}"}`),
  ]);
  expect(said).toEqual([
    [0, 0],
    [1, 1],
    [1, 0],
  ]);
});

it('leaves out the gauges of Node whose names end as those of counters do', async () => {
  const text = await createMetrics().text();
  expect(text).toContain('# TYPE nodejs_active_resources gauge');
  expect(text.match(/^# TYPE \S+_total (?!counter)\S+$/gm)).toBeNull();
});

it('tells of several processes together since when the oldest runs', async () => {
  const pieces: MetricPiece[] = [];
  for await (const piece of createMetrics().pieces()) pieces.push(piece);
  expect(await aggregatedText([pieces, pieces])).toMatch(/^process_start_time_seconds \d+/m);
});

describe('docs/METRICS.md', () => {
  it('has every metric of a gate with its type and labels, and no other', () => {
    const text = readFileSync(new URL('../../../docs/METRICS.md', import.meta.url), 'utf8');
    const rows = [...text.matchAll(/^\| `(sallyport_\w+)(?:\{([^}]*)\})?` \| (\w+) \|/gm)];
    const told = rows.map(([, name, labels = '', type]) => [
      name,
      { type, labels: labels.split(',').filter((label) => label !== '') },
    ]);
    const ofSupervisor = {
      sallyport_worker_deaths_total: { type: 'counter', labels: [] },
      sallyport_worker_restarts_total: { type: 'counter', labels: [] },
      sallyport_workers_serving: { type: 'gauge', labels: [] },
    };
    expect(Object.fromEntries(told)).toEqual({ ...CONTRACT, ...ofSupervisor });
  });
});

it('counts words from zero', async () => {
  const metrics = create();
  metrics.audit.count('accepted', 5);
  metrics.audit.count('lost');
  metrics.gap();
  const all = await samples(metrics);
  expect(all.get('sallyport_audit_events_total{outcome="accepted"}')).toBe(5);
  expect(all.get('sallyport_audit_events_total{outcome="lost"}')).toBe(1);
  expect(all.get('sallyport_audit_gaps_total')).toBe(1);
  expect(all.get('sallyport_audit_events_total{outcome="resent"}')).toBe(0);
});
