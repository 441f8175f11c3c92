import type { ClientCall } from './callers.ts';
import type { StoredEvent } from './raw-record.ts';
import { callFaults, type Pair, pairsOf } from './truth.ts';

/** What the instances of a run counted; the ones that ended without a word took theirs along. */
export interface Counted {
  readonly lost: number;
  readonly unrecorded: number;
}

/** What clients, upstream, store and metrics say of one run. */
export interface AuditRun {
  readonly calls: readonly ClientCall[];
  /** Request ids that the upstream was sent, as often as it was. */
  readonly upstream: readonly string[];
  /** All that the store holds, read raw. */
  readonly stored: readonly StoredEvent[];
  readonly counted: Counted;
  /** Instances that ended without a word. */
  readonly gone: ReadonlySet<string>;
}

export interface AuditVerdict {
  readonly calls: number;
  /** Answers, refusals among them, that say nothing of a record that is away. */
  readonly answered: number;
  /** Answers `audit-unavailable`; of these, how many are not on record, which is counted. */
  readonly unavailable: number;
  readonly unrecorded: number;
  /** Other answers, and requests that reached the upstream, without a record. */
  readonly withoutRecord: readonly string[];
  /** Numbers between 1 and the highest of an instance that the store does not hold. */
  readonly lost: number;
  readonly countedLost: number;
  /** Numbers, decisions or outcomes that the store holds more than once. */
  readonly duplicated: readonly string[];
  /** Permits without an outcome. */
  readonly open: readonly string[];
  /** Permits whose outcome is `outcome-unknown`. */
  readonly unknown: number;
  /** Records that say something else than what the client saw. */
  readonly contradictions: readonly string[];
}

export function verdictOf(run: AuditRun): AuditVerdict {
  const events = run.stored.map(({ event }) => event);
  const pairs = pairsOf(events);
  const numbers = numbersOf(run.stored);
  const isAway = ({ reason }: ClientCall) => reason === 'audit-unavailable';
  return {
    calls: run.calls.length,
    answered: run.calls.filter((call) => call.status !== null && !isAway(call)).length,
    unavailable: run.calls.filter(isAway).length,
    unrecorded: run.calls.filter((call) => isAway(call) && !isIn(pairs, call.requestId)).length,
    withoutRecord: [...unrecordedAnswers(run, pairs), ...unrecordedRequests(run, pairs)],
    lost: [...numbers.values()].reduce((sum, own) => sum + Math.max(...own.keys()) - own.size, 0),
    countedLost: run.counted.lost,
    duplicated: [...numbers].flatMap(repeatedNumbers).concat(repeatedPhases(pairs)),
    open: [...pairs].flatMap(([id, pair]) => (isOpen(pair) ? [id] : [])),
    unknown: events.filter(({ reason }) => reason === 'outcome-unknown').length,
    contradictions: [
      ...run.calls.flatMap((call) => (isCut(call, pairs, run.gone) ? [] : callFaults(call, pairs))),
      ...[...pairs].flatMap(([id, pair]) => unknownOfTheLiving(id, pair, run.gone)),
    ],
  };
}

type Pairs = ReturnType<typeof pairsOf>;
type Numbers = ReadonlyMap<number, number>;

const isIn = (pairs: Pairs, id: string | null) => id !== null && pairs.has(id);
const isOpen = ({ decisions, outcomes }: Pair) =>
  decisions[0]?.decision === 'permit' && outcomes.length === 0;

/**
 * Of a pair only half is there: that is counted as lost, or as open. Or an instance has told its
 * caller that the record is away, and ended before it could record that it did.
 */
function isCut(call: ClientCall, pairs: Pairs, gone: ReadonlySet<string>): boolean {
  const pair = pairs.get(call.requestId ?? '');
  const decision = pair?.decisions[0];
  if (pair === undefined) return false;
  if (decision === undefined || isOpen(pair)) return true;
  const isUntold = call.reason === 'audit-unavailable' && pair.outcomes.length === 0;
  return isUntold && gone.has(String(decision.instance));
}

/** Of each instance, how often each number is there. What closes for the dead bears none. */
function numbersOf(stored: readonly StoredEvent[]): ReadonlyMap<string, Numbers> {
  const all = new Map<string, Map<number, number>>();
  for (const { event } of stored) {
    const { instance, seq, phase } = event;
    if (typeof instance !== 'string' || typeof seq !== 'number' || phase === 'change') continue;
    const own = all.get(instance) ?? new Map<number, number>();
    all.set(instance, own.set(seq, (own.get(seq) ?? 0) + 1));
  }
  return all;
}

function repeatedNumbers([instance, own]: readonly [string, Numbers]): string[] {
  return [...own].flatMap(([seq, times]) =>
    times > 1 ? [`${instance}: number ${seq} is there ${times} times`] : [],
  );
}

/** A true outcome that came after all may stand beside one that says that nobody knows. */
function repeatedPhases(pairs: Pairs): string[] {
  return [...pairs].flatMap(([id, { decisions, outcomes }]) => {
    const known = outcomes.filter(({ reason }) => reason !== 'outcome-unknown').length;
    const isOnce = decisions.length <= 1 && known <= 1 && outcomes.length - known <= 1;
    return isOnce ? [] : [`${id}: ${decisions.length} decisions, ${outcomes.length} outcomes`];
  });
}

function unrecordedAnswers({ calls }: AuditRun, pairs: Pairs): string[] {
  return calls.flatMap((call) => {
    const { requestId, status, reason, whole } = call;
    if (status === null || reason === 'audit-unavailable') return [];
    if (requestId === null) return whole ? [`an answer ${status} without an id`] : [];
    const isKnown = (pairs.get(requestId)?.decisions.length ?? 0) > 0;
    return isKnown ? [] : [`${requestId}: answered ${status} ${reason ?? ''} without a record`];
  });
}

/** A read may reach an upstream whose instance ends before its record is accepted. */
function unrecordedRequests({ calls, upstream, gone }: AuditRun, pairs: Pairs): string[] {
  const answered = new Set(calls.map(({ requestId }) => requestId));
  return upstream.flatMap((id) => {
    const decision = pairs.get(id)?.decisions[0];
    if (decision?.decision === 'permit') return [];
    if (decision === undefined && (answered.has(id) || gone.size > 0)) return [];
    return [`${id}: at an upstream, and ${decision?.reason ?? 'not on record'}`];
  });
}

function unknownOfTheLiving(id: string, pair: Pair, gone: ReadonlySet<string>): string[] {
  const by = String(pair.decisions[0]?.instance);
  const isUnknown = pair.outcomes.some(({ reason }) => reason === 'outcome-unknown');
  return isUnknown && !gone.has(by) ? [`${id}: unknown, but ${by} has not gone`] : [];
}
