import type { Reason } from '../../refusal.ts';
import type { AccountFacts } from './call-facts.ts';
import { isoTime } from './text.ts';
import { eventJson } from './write.ts';

/** Verdicts about one caller, counted instead of written one by one. */
export interface FoldedFacts {
  /** Whom the token proved; null = nobody, or of many, too many to be told apart. */
  readonly account: AccountFacts | null;
  /** An IPv4 address or an IPv6 network; null = of several. */
  readonly clientAddress: string | null;
  readonly count: number;
  /** How many for each reason; they add up to `count`. */
  readonly reasons: ReadonlyMap<Reason, number>;
  /** Of the first and the last of them, wall clock, ms since the epoch. */
  readonly firstMs: number;
  readonly lastMs: number;
}

/** What was asked: the proxied APIs, or the administration. */
export type FoldedType = 'call' | 'admin-call';

/**
 * One `decision` event that stands for `count` verdicts. `reason` is the most frequent. Nothing in
 * it is the client's but the address.
 */
export function foldedEvent(
  type: FoldedType,
  instance: string,
  id: string,
  seq: number,
  nowMs: number,
  facts: FoldedFacts,
): string {
  const reasons = [...facts.reasons].sort(([, one], [, other]) => other - one);
  const reason = reasons[0]?.[0] ?? 'internal-fault';
  const { account } = facts;
  return eventJson({
    id,
    time: isoTime(nowMs),
    type,
    phase: 'decision',
    instance,
    seq,
    account: account === null ? null : { id: account.id, name: account.name, kind: account.kind },
    decision: facts.reasons.has('permitted') ? 'permit' : 'refusal',
    reason,
    clientAddress: facts.clientAddress ?? undefined,
    count: facts.count,
    firstTime: isoTime(facts.firstMs),
    lastTime: isoTime(facts.lastMs),
    reasons: Object.fromEntries(reasons),
  });
}
