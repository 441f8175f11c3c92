import { AggregatorRegistry, Registry } from 'prom-client';

/**
 * All metrics of a process as plain values, to be sent from process to process. There is more in
 * each than is named here.
 */
export type MetricsSnapshot = readonly {
  readonly name: string;
  readonly type: string;
  readonly aggregator: string;
}[];

/**
 * What the metrics of several processes are together: each says by its `aggregator` whether that is
 * the sum, the least or the most.
 */
export async function aggregateSnapshots(
  snapshots: readonly MetricsSnapshot[],
): Promise<MetricsSnapshot> {
  return snapshotOf(aggregate(snapshots));
}

/** The same in Prometheus text format, version 0.0.4. */
export function aggregatedText(snapshots: readonly MetricsSnapshot[]): Promise<string> {
  return aggregate(snapshots).metrics();
}

export const TEXT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** What stays true of a process after its end: what it has counted. How it was doing does not. */
export function countedIn(snapshot: MetricsSnapshot): MetricsSnapshot {
  return snapshot.filter(
    ({ type, aggregator }) => aggregator === 'sum' && (type === 'counter' || type === 'histogram'),
  );
}

export async function snapshotOf(registry: Registry): Promise<MetricsSnapshot> {
  return (await registry.getMetricsAsJSON()) as unknown as MetricsSnapshot;
}

function aggregate(snapshots: readonly MetricsSnapshot[]): Registry {
  return AggregatorRegistry.aggregate([...snapshots]);
}
