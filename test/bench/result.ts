import type { ExtraLoadName, LoadName, TargetName } from './names.ts';

/**
 * One line of the answer. Null = not measured by this load, or could not be: the target cannot keep
 * up with the moderate rate.
 */
export interface Result {
  readonly load: LoadName | ExtraLoadName;
  readonly target: TargetName;
  readonly cpuUsPerRequest: number | null;
  readonly requestsPerSecond: number | null;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly errors: number;
  /** `latency-1600`: p99 beyond that of nginx as a plain proxy in the same run. */
  readonly addedP99Ms?: number;
  /** `idle-memory`: memory of the process per idle TLS connection. */
  readonly bytesPerConnection?: number;
  /** `idle-beside-load`: the same load without the idle connections. */
  readonly p99AloneMs?: number;
}

export function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
