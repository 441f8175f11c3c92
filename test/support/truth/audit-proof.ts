import type { AuditVerification } from '../../../src/admin/verify-audit.ts';
import { isGap } from '../../../src/audit/verify/finding.ts';
import type { StoredEvent } from './raw-record.ts';

/**
 * What `audit verify` says, held against what the store holds: every way in which the two do not
 * agree. Nobody has altered the log, so there is no edit in it; each number that is not there is
 * named, and nothing else; and an instance has said of each that it is lost.
 *
 * @param mayEnd a disk has lost the last events of an instance with which nobody remembers them
 */
export function proofFaults(
  { findings, gaps, edits, events }: AuditVerification,
  stored: readonly StoredEvent[],
  mayEnd: boolean,
): string[] {
  const faults = findings
    .filter((one) => !isGap(one) || !(one.kind === 'lost' || (mayEnd && one.kind === 'truncated')))
    .map(({ kind, message }) => `audit verify: ${kind}: ${message}`);
  if (findings.length !== gaps + edits) faults.push(`${findings.length} findings are told`);
  if (events !== stored.length) faults.push(`${events} events verified, ${stored.length} stored`);
  const there = numbersOf(stored);
  const named = new Map<string, Set<number>>();
  for (const { instance, firstSeq, lastSeq } of findings) {
    if (instance === null || firstSeq === null || lastSeq === null) continue;
    const own = named.get(instance) ?? new Set<number>();
    named.set(instance, own);
    for (let seq = firstSeq; seq <= lastSeq; seq += 1) own.add(seq);
  }
  for (const [instance, own] of named) {
    const wrong = [...own].filter((seq) => there.get(instance)?.has(seq));
    if (wrong.length > 0) faults.push(`${instance}: ${told(wrong)} named, and there`);
  }
  for (const [instance, own] of there) {
    const silent = missingIn(own).filter((seq) => !named.get(instance)?.has(seq));
    if (silent.length > 0) faults.push(`${instance}: ${told(silent)} not there, and not named`);
  }
  return faults;
}

function numbersOf(stored: readonly StoredEvent[]): ReadonlyMap<string, ReadonlySet<number>> {
  const all = new Map<string, Set<number>>();
  for (const { event } of stored) {
    const { instance, seq } = event;
    if (typeof instance !== 'string' || typeof seq !== 'number') continue;
    all.set(instance, (all.get(instance) ?? new Set<number>()).add(seq));
  }
  return all;
}

function missingIn(own: ReadonlySet<number>): number[] {
  const missing: number[] = [];
  const last = [...own].reduce((most, seq) => Math.max(most, seq), 0);
  for (let seq = 1; seq <= last; seq += 1) if (!own.has(seq)) missing.push(seq);
  return missing;
}

function told(seqs: readonly number[]): string {
  return `${seqs.length} events (${seqs.slice(0, 3).join(', ')} …)`;
}
