import type { Metric, Registry } from 'prom-client';
import { turn } from '../turns.ts';

/** One value of a metric, as prom-client's text format takes it. */
interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly metricName?: string;
  readonly exemplar?: Exemplar;
}

/** A measurement that stands for its bucket, with the trace that tells more. */
export interface Exemplar {
  readonly labelSet: { readonly trace_id: string };
  readonly value: number;
  /** Seconds since 1970. */
  readonly timestamp: number;
}

export type Emit = (value: number, labels?: Readonly<Record<string, string | number>>) => void;

/**
 * Metrics that are read when somebody asks, and cost nothing before: prom-client's own counters
 * build and hash a label object for every increment, about 10 us per request. The registry asks a
 * metric for no more than these fields.
 */
interface PulledMetric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly aggregator: 'sum' | 'max' | 'min';
  get(): Promise<object>;
}

function register(registry: Registry, metric: PulledMetric): void {
  registry.registerMetric(metric as unknown as Metric);
}

function declare(
  registry: Registry,
  about: Omit<PulledMetric, 'get'>,
  samples: () => Sample[] | Promise<Sample[]>,
): void {
  const { name, help, type, aggregator } = about;
  register(registry, {
    ...about,
    get: async () => ({ name, help, type, aggregator, values: await samples() }),
  });
}

function gather(read: (emit: Emit) => void): Sample[] {
  const samples: Sample[] = [];
  read((value, labels = {}) => samples.push({ labels, value }));
  return samples;
}

export function declareCounter(
  registry: Registry,
  name: string,
  help: string,
  read: (emit: Emit) => void,
): void {
  declare(registry, { name, help, type: 'counter', aggregator: 'sum' }, () => gather(read));
}

/** `aggregator`: what the figure of several workers together is. */
export function declareGauge(
  registry: Registry,
  name: string,
  help: string,
  aggregator: 'sum' | 'max' | 'min',
  read: (emit: Emit) => void,
): void {
  declare(registry, { name, help, type: 'gauge', aggregator }, () => gather(read));
}

export function declareHistogram(
  registry: Registry,
  name: string,
  help: string,
  histogram: Histogram,
): void {
  declare(registry, { name, help, type: 'histogram', aggregator: 'sum' }, () =>
    histogram.samples(name),
  );
}

/** Series of a histogram that are read in one turn of the loop: about 2,000 samples. */
const SERIES_AT_ONCE = 100;

/** Counts per bucket in one array; series are small integers. */
export class Histogram {
  readonly #bounds: Float64Array;
  readonly #width: number;
  readonly #labels: ((series: number) => Readonly<Record<string, string>>) | null;
  /** Per series: one cell per bound, one for what is above them all, one for the sum. */
  #cells: Float64Array;
  /** By cell, the latest of each bucket: of calls with spans alone, for nobody finds others. */
  readonly #exemplars = new Map<number, Exemplar>();

  /**
   * `bounds` in seconds, ascending. `labels` null: one series without labels, present from the
   * start.
   */
  constructor(
    bounds: readonly number[],
    labels: ((series: number) => Readonly<Record<string, string>>) | null,
  ) {
    this.#bounds = Float64Array.from(bounds);
    this.#width = bounds.length + 2;
    this.#labels = labels;
    this.#cells = new Float64Array(this.#width);
  }

  /** What is negative or no number is not a measurement and is not counted. */
  observe(series: number, seconds: number): void {
    if (!(seconds >= 0 && seconds < Number.POSITIVE_INFINITY)) return;
    const start = series * this.#width;
    if (start >= this.#cells.length) this.#grow(start + this.#width);
    const bucket = this.#bucketOf(seconds);
    const cells = this.#cells;
    cells[start + bucket] = (cells[start + bucket] as number) + 1;
    const sum = start + this.#width - 1;
    cells[sum] = (cells[sum] as number) + seconds;
  }

  /** Names the trace of a measurement that was observed. @param wallMs when, in ms since 1970 */
  exemplify(series: number, seconds: number, traceId: string, wallMs: number): void {
    if (!(seconds >= 0 && seconds < Number.POSITIVE_INFINITY)) return;
    this.#exemplars.set(series * this.#width + this.#bucketOf(seconds), {
      labelSet: { trace_id: traceId },
      value: seconds,
      timestamp: wallMs / 1000,
    });
  }

  #bucketOf(seconds: number): number {
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && seconds > (bounds[bucket] as number)) bucket++;
    return bucket;
  }

  /** Counts per bucket over all series, the last one for what is above all bounds. */
  totals(): readonly number[] {
    const totals: number[] = new Array(this.#bounds.length + 1).fill(0);
    for (let start = 0; start < this.#cells.length; start += this.#width) {
      for (let bucket = 0; bucket < totals.length; bucket++) {
        totals[bucket] = (totals[bucket] as number) + (this.#cells[start + bucket] as number);
      }
    }
    return totals;
  }

  /** In slices of so many series, each in a turn of its own. */
  async samples(name: string): Promise<Sample[]> {
    const samples: Sample[] = [];
    for (let series = 0; series * this.#width < this.#cells.length; series++) {
      if (series > 0 && series % SERIES_AT_ONCE === 0) await turn();
      this.#series(name, series, samples);
    }
    return samples;
  }

  #series(name: string, series: number, samples: Sample[]): void {
    const start = series * this.#width;
    const labels = this.#labels === null ? {} : this.#labels(series);
    const buckets: Sample[] = [];
    let count = 0;
    for (let bucket = 0; bucket <= this.#bounds.length; bucket++) {
      count += this.#cells[start + bucket] as number;
      const le = bucket < this.#bounds.length ? (this.#bounds[bucket] as number) : '+Inf';
      const exemplar = this.#exemplars.get(start + bucket);
      buckets.push({
        labels: { ...labels, le },
        value: count,
        metricName: `${name}_bucket`,
        ...(exemplar === undefined ? {} : { exemplar }),
      });
    }
    // A series that was never observed says nothing, unless it is the only one.
    if (count === 0 && this.#labels !== null) return;
    const sum = this.#cells[start + this.#width - 1] as number;
    samples.push(
      ...buckets,
      { labels, value: sum, metricName: `${name}_sum` },
      { labels, value: count, metricName: `${name}_count` },
    );
  }

  #grow(atLeast: number): void {
    const cells = new Float64Array(Math.max(atLeast, this.#cells.length * 2));
    cells.set(this.#cells);
    this.#cells = cells;
  }
}

/**
 * Names that come from the configuration, as small integers. A reload adds names and never takes
 * one away: its series go on.
 */
export class NameTable {
  readonly #index = new Map<string, number>();
  readonly #names: string[];

  /** `first` is number 0, also for whatever finds no room. */
  constructor(first: string) {
    this.#names = [first];
    this.#index.set(first, 0);
  }

  get size(): number {
    return this.#names.length;
  }

  index(name: string): number {
    let index = this.#index.get(name);
    if (index !== undefined) return index;
    if (this.#names.length >= MAX_NAMES) return 0;
    index = this.#names.push(name) - 1;
    this.#index.set(name, index);
    return index;
  }

  name(index: number): string {
    return this.#names[index] ?? (this.#names[0] as string);
  }
}

/**
 * Far more than any configuration names; keeps reloads with ever new names from growing the
 * process.
 */
const MAX_NAMES = 5000;
