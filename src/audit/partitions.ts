import { hash } from 'node:crypto';
import type { CutPlace } from './chain/signed.ts';

/**
 * Streams that the record is spread over, so that a Cluster can spread the load. All readers and
 * writers must agree, so it is no setting.
 */
export const AUDIT_PARTITIONS = 4;

/**
 * The partition of an instance: the same for as long as it lives, so that its events stay in order.
 */
export function partitionOf(instance: string): number {
  return Number.parseInt(hash('sha1', instance, 'hex').slice(0, 8), 16) % AUDIT_PARTITIONS;
}

const STREAMS = ['0', '1', '2', '3'] as const;

/** What it is called where somebody signs what is cut of it. */
export function streamName(partition: number): CutPlace['stream'] {
  return STREAMS[partition]!;
}
