import { AggregatorRegistry, type Registry } from 'prom-client';
import { turn } from '../turns.ts';
import type { Exemplar } from './series.ts';
import { type MetricPiece, piecesOf, SAMPLES_AT_ONCE, type TextFormat, textOf } from './text.ts';
import { busiestOf, TOP_ACCOUNTS } from './top-accounts.ts';

/**
 * All metrics of a process as plain values, to be sent from process to process, a metric with many
 * samples in several pieces.
 */
export type MetricsSnapshot = readonly MetricPiece[];

/**
 * What the metrics of several processes are together: each says by its `aggregator` whether that is
 * the sum, the least or the most.
 */
export async function aggregateSnapshots(
  snapshots: readonly MetricsSnapshot[],
): Promise<MetricsSnapshot> {
  const pieces: MetricPiece[] = [];
  for await (const piece of aggregated(snapshots)) pieces.push(piece);
  return pieces;
}

/** The same as text. */
export function aggregatedText(
  snapshots: readonly MetricsSnapshot[],
  format?: TextFormat,
): Promise<string> {
  return textOf(aggregated(snapshots), format);
}

/** What stays true of a process after its end: what it has counted. How it was doing does not. */
export function countedIn(snapshot: MetricsSnapshot): MetricsSnapshot {
  return snapshot.filter(
    ({ type, aggregator }) => aggregator === 'sum' && (type === 'counter' || type === 'histogram'),
  );
}

export async function snapshotOf(registry: Registry): Promise<MetricsSnapshot> {
  const pieces: MetricPiece[] = [];
  for await (const piece of piecesOf(registry)) pieces.push(piece);
  return pieces;
}

/** In slices, as everything here: samples that belong together are in one of them. */
async function* aggregated(snapshots: readonly MetricsSnapshot[]): AsyncGenerator<MetricPiece> {
  const byName = new Map<string, MetricPiece[]>();
  for (const piece of snapshots.flat()) {
    const known = byName.get(piece.name);
    if (known === undefined) byName.set(piece.name, [piece]);
    else known.push(piece);
  }
  for (const pieces of byName.values()) {
    for (const share of await shares(pieces)) {
      await turn();
      const registry = AggregatorRegistry.aggregate([share] as never);
      for (const piece of (await registry.getMetricsAsJSON()) as unknown as MetricsSnapshot)
        yield piece.name === TOP_ACCOUNTS ? busiestOf(piece, pieces) : exemplified(piece, share);
    }
  }
}

/** The samples of one metric, those with the same labels in the same share. */
async function shares(pieces: readonly MetricPiece[]): Promise<readonly MetricsSnapshot[]> {
  const [first] = pieces;
  const count = pieces.reduce((sum, { values = [] }) => sum + values.length, 0);
  if (first === undefined || count <= SAMPLES_AT_ONCE) return [pieces];
  const series = new Map<string, unknown[]>();
  for (const { values = [] } of pieces) {
    await turn();
    for (const value of values) {
      const key = seriesOf(value as Labelled);
      const known = series.get(key);
      if (known === undefined) series.set(key, [value]);
      else known.push(value);
    }
  }
  const made: unknown[][] = [[]];
  for (const values of series.values()) {
    if ((made.at(-1)?.length ?? 0) + values.length > SAMPLES_AT_ONCE) made.push([]);
    made.at(-1)?.push(...values);
  }
  return made.map((values) => [{ ...first, values }]);
}

interface Labelled {
  readonly labels?: Readonly<Record<string, string | number>>;
  /** Null: prom-client's own histograms have none. */
  readonly exemplar?: Exemplar | null;
}

/** The latest exemplar of each bucket again: adding up leaves them out. */
function exemplified(sum: MetricPiece, share: MetricsSnapshot): MetricPiece {
  if (sum.type !== 'histogram') return sum;
  const latest = new Map<string, Exemplar>();
  for (const value of share.flatMap(({ values = [] }) => values) as Labelled[]) {
    const { exemplar } = value;
    if (exemplar === undefined || exemplar === null) continue;
    const key = bucketOf(value);
    if (exemplar.timestamp > (latest.get(key)?.timestamp ?? 0)) latest.set(key, exemplar);
  }
  if (latest.size === 0) return sum;
  const values = (sum.values as readonly Labelled[]).map((value) => {
    const exemplar = latest.get(bucketOf(value));
    return exemplar === undefined ? value : { ...value, exemplar };
  });
  return { ...sum, values };
}

/** A sum and a count have no bound, and no exemplar. */
function bucketOf(value: Labelled): string {
  return `${seriesOf(value)}${value.labels?.le ?? ''}`;
}

/** Buckets of a histogram stay beside its sum. */
function seriesOf({ labels = {} }: Labelled): string {
  let key = '';
  for (const name in labels) if (name !== 'le') key += `${name}\0${labels[name]}\0`;
  return key;
}
