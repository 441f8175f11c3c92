import { EVENT_LIMITS } from './event.ts';
import { bounded, isoTime, quoted } from './text.ts';

/** How a sign-in to the console ended. One word each; who tries is told less. */
export type SignInReason =
  | 'signed-in'
  | 'signed-out'
  | 'password-wrong'
  | 'account-inactive'
  | 'account-expired'
  | 'not-a-user'
  | 'name-unknown'
  | 'throttled';

export interface SignInFacts {
  /** Unique id of the event. */
  readonly id: string;
  readonly timeMs: number;
  readonly reason: SignInReason;
  /** Whoever has proved to be it; null otherwise. */
  readonly account: { readonly id: string; readonly name: string } | null;
  /** Whose name was typed, where there is such an account. A name that is none is not recorded: people type passwords into the wrong field. */
  readonly claimedAccountId: string | null;
  readonly clientAddress: string | null;
  readonly userAgent: string | null;
}

/** One line of JSON about somebody at the door of the console. Like events about calls, it has no field that a secret could be in. */
export function signInEvent(instance: string, seq: number, facts: SignInFacts): string {
  const { account, claimedAccountId, clientAddress, userAgent } = facts;
  const letIn = facts.reason === 'signed-in' || facts.reason === 'signed-out';
  const who = account === null ? 'null' : `{"id":${quoted(account.id)},"name":${quoted(account.name)},"kind":"user"}`;
  return (
    `{"id":${quoted(facts.id)},"time":"${isoTime(facts.timeMs)}","type":"sign-in","phase":"sign-in","instance":${quoted(instance)},"seq":${seq}` +
    `,"account":${who}${field('claimedAccountId', claimedAccountId, EVENT_LIMITS.short)}` +
    `,"decision":${letIn ? '"permit"' : '"refusal"'},"reason":${quoted(facts.reason)}` +
    `${field('clientAddress', clientAddress, EVENT_LIMITS.short)}${field('userAgent', userAgent, EVENT_LIMITS.userAgent)}}`
  );
}

function field(name: string, value: string | null, limit: number): string {
  return value === null ? '' : `,"${name}":${quoted(bounded(value, limit))}`;
}
