import type { Reason } from '../refusal.ts';
import { isoTime, quoted } from './text.ts';

/** Refusals of callers who are not known, counted instead of written one by one. */
export interface FoldedFacts {
  /**
   * Whose refusals: an IPv4 address or an IPv6 network; null = of many, too many to be told apart.
   */
  readonly clientAddress: string | null;
  readonly count: number;
  /** How many for each reason; they add up to `count`. */
  readonly reasons: ReadonlyMap<Reason, number>;
  /** Of the first and the last of them, wall clock, ms since the epoch. */
  readonly firstMs: number;
  readonly lastMs: number;
}

/**
 * One `decision` event that stands for `count` refusals. `reason` is the most frequent. Nothing in
 * it is the client's but the address.
 */
export function foldedEvent(
  instance: string,
  id: string,
  seq: number,
  nowMs: number,
  facts: FoldedFacts,
): string {
  const reasons = [...facts.reasons].sort(([, one], [, other]) => other - one);
  const address =
    facts.clientAddress === null ? '' : `,"clientAddress":${quoted(facts.clientAddress)}`;
  return (
    `{"id":${quoted(id)},"time":"${isoTime(nowMs)}","type":"call","phase":"decision","instance":${quoted(instance)},"seq":${seq}` +
    `,"account":null,"decision":"refusal","reason":${quoted(reasons[0]?.[0] ?? 'internal-fault')}${address}` +
    `,"count":${facts.count},"firstTime":"${isoTime(facts.firstMs)}","lastTime":"${isoTime(facts.lastMs)}"` +
    `,"reasons":${JSON.stringify(Object.fromEntries(reasons))}}`
  );
}
