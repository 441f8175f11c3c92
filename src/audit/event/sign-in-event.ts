import type { RefusalReason } from '../../refusal.ts';
import { EVENT_LIMITS } from './limits.ts';
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
  | 'throttled'
  /** The identity provider did not vouch for whoever came back from it. */
  | 'identity-refused'
  /** It did, and none of the groups has a role here. */
  | 'identity-without-role'
  /**
   * It did, and the account of that name (or the person's own, under another name) is not theirs to
   * use.
   */
  | 'identity-name-taken';

export interface SignInFacts {
  /** Unique id of the event. */
  readonly id: string;
  readonly timeMs: number;
  readonly reason: SignInReason;
  /** Whoever has proved to be it; null otherwise. */
  readonly account: { readonly id: string; readonly name: string } | null;
  /**
   * Whose name was typed, where there is such an account. A name that is none is not recorded:
   * people type passwords into the wrong field.
   */
  readonly claimedAccountId: string | null;
  readonly clientAddress: string | null;
  readonly userAgent: string | null;
  /** Absent: a password. */
  readonly method?: 'oidc';
  /** Whoever was to be let in was told this instead: the outcome of a sign-in with the same id. */
  readonly instead?: { readonly reason: RefusalReason; readonly status: number };
}

/**
 * One line of JSON about somebody at the door of the console. Like events about calls, it has no
 * field that a secret could be in.
 */
export function signInEvent(instance: string, seq: number, facts: SignInFacts): string {
  const { account, claimedAccountId, clientAddress, userAgent, method = null, instead } = facts;
  const letIn = facts.reason === 'signed-in' || facts.reason === 'signed-out';
  const who =
    account === null
      ? 'null'
      : `{"id":${quoted(account.id)},"name":${quoted(account.name)},"kind":"user"}`;
  const phase = instead === undefined ? 'sign-in' : 'outcome';
  const verdict =
    instead === undefined
      ? `"decision":${letIn ? '"permit"' : '"refusal"'},"reason":${quoted(facts.reason)}`
      : `"reason":"${instead.reason}","status":${instead.status}`;
  return (
    `{"id":${quoted(facts.id)},"time":"${isoTime(facts.timeMs)}","type":"sign-in","phase":"${phase}","instance":${quoted(instance)},"seq":${seq}` +
    `,"account":${who}${field('claimedAccountId', claimedAccountId, EVENT_LIMITS.short)}` +
    `,${verdict}${field('method', method, EVENT_LIMITS.short)}` +
    `${field('clientAddress', clientAddress, EVENT_LIMITS.short)}${field('userAgent', userAgent, EVENT_LIMITS.userAgent)}}`
  );
}

function field(name: string, value: string | null, limit: number): string {
  return value === null ? '' : `,"${name}":${quoted(bounded(value, limit))}`;
}
