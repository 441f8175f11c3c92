import type { Reason } from '../../refusal.ts';
import type { AccountFacts } from './call-event.ts';
import { bounded, isoTime, quoted } from './text.ts';

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

/** Longest name and id, in UTF-16 units. */
const SHORT = 128;

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
  const address =
    facts.clientAddress === null ? '' : `,"clientAddress":${quoted(facts.clientAddress)}`;
  return (
    `{"id":${quoted(id)},"time":"${isoTime(nowMs)}","type":"${type}","phase":"decision","instance":${quoted(instance)},"seq":${seq}` +
    `,"account":${accountText(facts.account)},"decision":"${facts.reasons.has('permitted') ? 'permit' : 'refusal'}","reason":${quoted(reason)}${address}` +
    `,"count":${facts.count},"firstTime":"${isoTime(facts.firstMs)}","lastTime":"${isoTime(facts.lastMs)}"` +
    `,"reasons":${JSON.stringify(Object.fromEntries(reasons))}}`
  );
}

function accountText(account: AccountFacts | null): string {
  if (account === null) return 'null';
  const text = (value: string) => quoted(bounded(value, SHORT));
  return `{"id":${text(account.id)},"name":${text(account.name)},"kind":${quoted(account.kind)}}`;
}
