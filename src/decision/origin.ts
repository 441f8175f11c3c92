import type { Account } from '../account/model.ts';
import { isInNetworks } from '../http/network.ts';
import type { ClientCertificate } from '../http/request-head.ts';

/** From where a token is shown. */
export interface Origin {
  /** Of the client, as it was established; what is no IP address is in no network. */
  readonly address: string;
  /**
   * That the client has shown on its own connection; null: none, or the connection is that of a
   * proxy.
   */
  readonly certificate: ClientCertificate | null;
}

/**
 * Whether the account is let in from there: in its networks, and on a connection on which the
 * certificate was shown that it is bound to (RFC 8705 §3). Null: it is.
 *
 * @param nowMs wall clock
 */
export function whyNotFrom(
  { allowedNetworks, boundTo }: Pick<Account, 'allowedNetworks' | 'boundTo'>,
  address: string,
  certificate: ClientCertificate | null,
  nowMs: number,
): 'address-refused' | 'token-unbound' | null {
  if (allowedNetworks !== undefined && !isInNetworks(allowedNetworks, address))
    return 'address-refused';
  if (boundTo === undefined) return null;
  if (certificate === null) return 'token-unbound';
  // The certificate itself: by whom it was issued and until when says nothing more.
  if ('thumbprint' in boundTo)
    return certificate.thumbprint === boundTo.thumbprint ? null : 'token-unbound';
  // A name counts as long as the CA vouches for it, also on a connection that lasts.
  const isVouchedFor = certificate.subject !== null && nowMs < certificate.validUntilMs;
  return isVouchedFor && certificate.subject === boundTo.subject ? null : 'token-unbound';
}
