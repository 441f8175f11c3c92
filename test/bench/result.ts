import type { ExtraLoadName, LoadName, TargetName } from './names.ts';

/**
 * One line of the answer. Null = not measured by this load, or could not be: the target cannot keep
 * up with the moderate rate.
 */
export interface Result {
  readonly load: LoadName | ExtraLoadName;
  readonly target: TargetName;
  /** User and system time, as fast as it goes. */
  readonly cpuUsPerRequest: number | null;
  readonly userUsPerRequest?: number;
  readonly systemUsPerRequest?: number;
  /** The same at the load's steady rate; null = the target cannot keep it up. */
  readonly steadyCpuUsPerRequest?: number | null;
  readonly steadyUserUsPerRequest?: number | null;
  /**
   * Processor time divided by that of `sallyport-buffered` in the same round: lower quartile,
   * median, upper quartile.
   */
  readonly pairedRatio?: readonly [number, number, number] | null;
  readonly requestsPerSecond: number | null;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly errors: number;
  /** `latency-1600`: p99 beyond that of nginx as a plain proxy in the same run. */
  readonly addedP99Ms?: number;
  /** `idle-memory`: memory of the process per idle TLS connection. */
  readonly bytesPerConnection?: number;
  /** `start-up`: from the start of the process to the first permitted answer. */
  readonly startMs?: number;
  readonly startCpuMs?: number;
  /** `idle-beside-load`: the same load without the idle connections. */
  readonly p99AloneMs?: number;
}

export function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
