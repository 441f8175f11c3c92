import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { expect, it } from 'vitest';
import {
  aggregatedText,
  aggregateSnapshots,
  snapshotOf,
} from '../../../src/telemetry/aggregate.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import {
  type MetricPiece,
  piecesOf,
  preferredFormat,
  SAMPLES_AT_ONCE,
  textOf,
} from '../../../src/telemetry/text.ts';

const SERIES = 5 * SAMPLES_AT_ONCE;

function registryOf(value: number): Registry {
  const registry = new Registry();
  const registers = [registry];
  const counter = new Counter({ name: 'calls', help: 'c', labelNames: ['n'], registers });
  const times = new Histogram({ name: 'times', help: 'h', labelNames: ['n'], registers });
  for (let n = 0; n < SERIES; n += 1) counter.inc({ n }, value);
  for (let n = 0; n < SAMPLES_AT_ONCE; n += 1) times.observe({ n }, value);
  new Gauge({ name: 'empty', help: 'g', labelNames: ['n'], registers });
  const most = { name: 'most', help: 'g', aggregator: 'max', registers } as const;
  new Gauge(most).set(value);
  return registry;
}

/** Lines, because samples of a metric may come in another order. */
function linesOf(text: string): readonly string[] {
  return text.split('\n').sort();
}

it('is the same text, made of so many samples at once', async () => {
  const registry = registryOf(1);
  const sizes: number[] = [];
  for await (const { values = [] } of piecesOf(registry)) sizes.push(values.length);
  expect(Math.max(...sizes)).toBe(SAMPLES_AT_ONCE);
  expect(await textOf(piecesOf(registry))).toBe(await registry.metrics());
});

it('lets the loop turn before each piece', async () => {
  let turns = 0;
  let goesOn = true;
  const look = () => {
    turns += 1;
    if (goesOn) setImmediate(look);
  };
  setImmediate(look);
  let pieces = 0;
  for await (const _ of piecesOf(registryOf(1))) pieces += 1;
  goesOn = false;
  expect(turns).toBeGreaterThanOrEqual(pieces);
});

it('adds several processes up in pieces, as all at once', async () => {
  const snapshots = [await snapshotOf(registryOf(1)), await snapshotOf(registryOf(2))];
  const once = linesOf(await registryOf(3).metrics());
  const text = await aggregatedText(snapshots);
  const differing = linesOf(text).filter((line, index) => line !== once[index]);
  // What is the most of all is no sum, and two observations are not one of both.
  expect(differing.filter((line) => !/^(?:most |times_)/.test(line))).toEqual([]);
  expect(text).toContain('\nmost 2\n');
  expect(text).toMatch(/^times_count\{n="7"\} 2$/m);
  expect(text.match(/^# HELP times /gm)).toHaveLength(1);
  const twice = await aggregatedText([await aggregateSnapshots(snapshots)]);
  expect(linesOf(twice)).toEqual(linesOf(text));
});

const [FIRST, SECOND] = ['a'.repeat(32), 'b'.repeat(32)];

/** What a process has counted: two calls, of the slower of which there is a trace. */
async function countedBy(traceId: string, wallMs: number): Promise<readonly MetricPiece[]> {
  const { requests, pieces } = createMetrics({ processMetrics: false });
  const route = requests.route('deploy');
  for (const durationMs of [2, 40]) requests.count(route, 0, 200, 'permitted', durationMs, 0.3);
  requests.exemplify(route, 40, 0.3, traceId, wallMs);
  const made: MetricPiece[] = [];
  for await (const piece of pieces()) made.push(piece);
  return made;
}

it('names in OpenMetrics the latest trace of each bucket, of all processes together', async () => {
  const snapshots = [await countedBy(FIRST, 2000), await countedBy(SECOND, 1500)];
  const text = await aggregatedText(snapshots, 'openmetrics');
  const lines = text.split('\n');
  expect(lines).toContain('# TYPE sallyport_requests counter');
  expect(text).toContain(
    '\nsallyport_requests_total{route="deploy",method="GET",status_class="2xx",reason="permitted"} 4\n',
  );
  const named = lines.filter((line) => line.includes(' # {'));
  expect(named).toEqual([
    `sallyport_request_duration_seconds_bucket{route="deploy",le="0.05"} 4 # {trace_id="${FIRST}"} 0.04 2`,
    `sallyport_overhead_seconds_bucket{le="0.0005"} 4 # {trace_id="${FIRST}"} 0.0003 2`,
  ]);
  expect(lines.filter((line) => line === '')).toEqual(['']);
  expect(text.endsWith('\n# EOF\n')).toBe(true);
  expect(await aggregatedText(snapshots)).not.toMatch(/ # \{|# EOF/);
});

it.each([
  ['', 'plain'],
  ['*/*', 'plain'],
  ['text/plain', 'plain'],
  ['application/openmetrics-text; version=1.0.0', 'openmetrics'],
  [
    'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
    'openmetrics',
  ],
  [
    'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;q=0.6,application/openmetrics-text;q=0.5,text/plain;q=0.4',
    'openmetrics',
  ],
  ['text/plain;version=0.0.4, application/openmetrics-text;q=0.5', 'plain'],
  ['application/openmetrics-text;q=0', 'plain'],
  ['application/openmetrics-text;q=x', 'plain'],
])('gives whoever accepts %j the format %s', (accept, format) => {
  expect(preferredFormat(accept)).toBe(format);
});
