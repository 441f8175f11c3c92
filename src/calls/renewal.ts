import type { Account } from '../account/model.ts';
import type { OwnResponse } from '../http/outgoing.ts';
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
