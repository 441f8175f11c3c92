import type { Account } from '../account/model.ts';
import { readCredential } from '../decision/credential.ts';
import type { Permit } from '../decision/verdict.ts';
import type { OwnResponse } from '../http/outgoing.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { RateStanding } from '../limits/rate-limit.ts';
import type { RefusalReason } from '../refusal.ts';
import type { Revocation } from '../registry/receipts/receipt.ts';
import { jsonResponse } from './own-response.ts';

/** What came of a caller's wish to exchange its token for a new one (`action: renew-token`). */
export type Renewal =
  | {
      readonly renewed: true;
      readonly token: string;
      /** ISO 8601, UTC: of the account; null = never. */
      readonly expiresAt: string | null;
      /** Where the former token is refused already. */
      readonly revocation: Revocation | undefined;
    }
  | { readonly renewed: false; readonly reason: RefusalReason };

/**
 * Exchanges the live token of an account. Rejects for faults of ours only.
 *
 * @param token the token that the caller has shown
 */
export type RenewToken = (
  account: Pick<Account, 'id' | 'name' | 'kind'>,
  token: string,
) => Promise<Renewal>;

/** Rejects, or throws, where this process or this call cannot exchange a token. */
export function exchangeToken(
  renewToken: RenewToken | null,
  permit: Permit,
  head: RequestHead,
): Promise<Renewal> {
  const credential = readCredential(head.authorization, permit.route);
  if (renewToken === null || credential.presented !== 'token' || permit.account === null)
    throw new Error(`route ${permit.route.name} cannot exchange tokens here`);
  return renewToken(permit.account.account, credential.token);
}

/** What clients read as a date that does not come: they parse the field, and null is none. */
const NEVER = '9999-12-31T23:59:59Z';

/** In the form of the LifeTime API; the receipt stands beside it. */
export function renewedResponse(
  { token, expiresAt, revocation }: Extract<Renewal, { renewed: true }>,
  requestId: string,
  rate: RateStanding | null,
): OwnResponse {
  return jsonResponse(requestId, { token, expiresAt: expiresAt ?? NEVER, revocation }, rate);
}
