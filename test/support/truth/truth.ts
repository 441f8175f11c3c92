import type { AuditEvent } from '../gateway.ts';
import type { ClientCall } from './callers.ts';

/** What four witnesses of one run say. */
export interface Run {
  readonly calls: readonly ClientCall[];
  /** Request ids that upstreams were sent, as often as they were. */
  readonly upstream: readonly string[];
  /** All that is on record. */
  readonly events: readonly AuditEvent[];
  /**
   * Sum of `sallyport_audit_events_total{outcome="unrecorded"}`; null: an instance took it along.
   */
  readonly unrecorded: number | null;
  /** Instances that ended without a word. */
  readonly gone?: ReadonlySet<string>;
}

export interface Pair {
  readonly decisions: AuditEvent[];
  readonly outcomes: AuditEvent[];
}

/**
 * Every way in which the four do not agree, as sentences; empty when the record tells the truth.
 */
export function liesOf(run: Run): string[] {
  const pairs = pairsOf(run.events);
  return [
    ...pairFaults(pairs, run.gone ?? new Set()),
    ...run.calls.flatMap((call) => callFaults(call, pairs)),
    ...unrecordedFaults(run, pairs),
    ...upstreamFaults(run, pairs),
  ];
}

export function pairsOf(events: readonly AuditEvent[]): ReadonlyMap<string, Pair> {
  const pairs = new Map<string, Pair>();
  for (const event of events) {
    if (event.type !== 'call' || event.count !== undefined) continue;
    const pair = pairs.get(event.id) ?? { decisions: [], outcomes: [] };
    pairs.set(event.id, pair);
    if (event.phase === 'decision') pair.decisions.push(event);
    else if (event.phase === 'outcome') pair.outcomes.push(event);
  }
  return pairs;
}

/**
 * One decision for each; one outcome for each permit, and for each refusal whose caller got
 * something else. Nobody but those who are gone leaves an outcome unknown.
 */
function pairFaults(pairs: ReadonlyMap<string, Pair>, gone: ReadonlySet<string>): string[] {
  const faults: string[] = [];
  for (const [id, { decisions, outcomes }] of pairs) {
    const [decision] = decisions;
    const [outcome] = outcomes;
    if (decisions.length !== 1) faults.push(`${id}: ${decisions.length} decisions`);
    if (decision?.decision === 'permit' && outcomes.length !== 1)
      faults.push(`${id}: a permit with ${outcomes.length} outcomes`);
    if (decision?.decision === 'refusal' && outcomes.length > 1)
      faults.push(`${id}: a refusal with ${outcomes.length} outcomes`);
    if (decision?.decision === 'refusal' && outcome?.reason === decision.reason)
      faults.push(`${id}: an outcome that says what the decision says`);
    if (outcome?.reason === 'outcome-unknown' && !gone.has(String(decision?.instance)))
      faults.push(`${id}: unknown, but ${decision?.instance} has not gone`);
  }
  return faults;
}

/** Who got an answer finds it in the pair, or was told that there is none. */
export function callFaults(call: ClientCall, pairs: ReadonlyMap<string, Pair>): string[] {
  const { requestId, status, reason, bytes, whole } = call;
  if (requestId === null) return whole ? [`an answer ${status} without an id`] : [];
  const pair = pairs.get(requestId);
  if (pair === undefined) return []; // counted below
  const [decision] = pair.decisions;
  const [outcome] = pair.outcomes;
  const last = outcome ?? decision;
  if (last?.reason === 'outcome-unknown') return [];
  const faults: string[] = [];
  if (last?.status !== status)
    faults.push(`${requestId}: answered ${status}, recorded ${last?.reason} ${last?.status}`);
  if (reason !== null && last?.reason !== reason)
    faults.push(`${requestId}: answered ${reason}, recorded ${last?.reason}`);
  if (outcome === undefined || reason !== null) return faults;
  const sent = Number(outcome.responseBytes);
  if (whole ? sent !== bytes : sent < bytes)
    faults.push(`${requestId}: ${bytes} bytes came, ${sent} are on record`);
  return faults;
}

/**
 * Answers without a record: those that say so, exactly as many as were counted, and refusals in a
 * flood, exactly as many as its events count.
 */
function unrecordedFaults(run: Run, pairs: ReadonlyMap<string, Pair>): string[] {
  const faults: string[] = [];
  let away = 0;
  let folded = 0;
  for (const { requestId, status, reason } of run.calls) {
    if (requestId === null || pairs.has(requestId)) continue;
    if (reason === 'audit-unavailable') away += 1;
    else if (status !== null && status >= 400 && status < 500) folded += 1;
    else faults.push(`${requestId}: answered ${status} ${reason} without a record`);
  }
  if (run.unrecorded !== null && run.unrecorded !== away)
    faults.push(`${away} answers without a record, ${run.unrecorded} counted`);
  const counted = run.events.reduce((sum, { count }) => sum + Number(count ?? 0), 0);
  // An instance that ended without a word took along what it had counted.
  const died = (run.gone?.size ?? 0) > 0;
  if (died ? counted > folded : counted !== folded)
    faults.push(`${folded} refusals without a record, ${counted} folded`);
  return faults;
}

/** Nothing goes upstream without a permit. A read may, whose instance ended before it answered. */
function upstreamFaults(run: Run, pairs: ReadonlyMap<string, Pair>): string[] {
  const answered = new Set(run.calls.map(({ requestId }) => requestId));
  const died = (run.gone?.size ?? 0) > 0;
  return run.upstream.flatMap((id) => {
    const decision = pairs.get(id)?.decisions[0];
    if (decision?.decision === 'permit') return [];
    if (died && decision === undefined && !answered.has(id)) return [];
    return [`${id}: at an upstream, and ${decision?.reason ?? 'not on record'}`];
  });
}
