import type { Report } from '../faults.ts';
import { group, type Raw } from './raw.ts';

/** Each worker has a part of it, which is no smaller than one. */
export function checkWorkerParts(file: Raw, report: Report): void {
  const { workers } = group(file.instance);
  const { connectionsPerAddress } = group(file.limits);
  if (typeof workers !== 'number' || typeof connectionsPerAddress !== 'number') return;
  if (connectionsPerAddress >= 1 && connectionsPerAddress < workers)
    report.fault(
      ['limits', 'connectionsPerAddress'],
      `each of the ${workers} workers has an equal part of it, and lets at least one connection of an address in: allow at least ${workers}, or run fewer workers`,
    );
}
