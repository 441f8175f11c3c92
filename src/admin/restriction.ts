import { isDeepStrictEqual } from 'node:util';
import type { Account, CertificateBinding } from '../account/model.ts';

/** From where a service account is let in, and on which connections. */
export type Restriction = Pick<Account, 'allowedNetworks' | 'boundTo'>;

export const RESTRICTION_FIELDS = ['allowedNetworks', 'boundTo'] as const;

/** As it is given by people and programs. */
export interface RestrictionInput {
  /** Addresses and ranges in CIDR form; empty or null: from anywhere. */
  readonly allowedNetworks?: readonly string[] | null;
  /**
   * The thumbprint of a certificate (SHA-256, in base64url or in hex with or without colons), or
   * its subject (RFC 4514); null: not bound.
   */
  readonly boundTo?: CertificateBinding | null;
}

/** What is named, as it is kept: fields that restrict nothing are absent. */
export function restrictionIn({ allowedNetworks, boundTo }: RestrictionInput): Restriction {
  return {
    ...(allowedNetworks == null || allowedNetworks.length === 0 ? {} : { allowedNetworks }),
    ...(boundTo == null ? {} : { boundTo }),
  };
}

/**
 * What is named takes the place of what there was, the rest stays; itself where that is the same.
 */
export function restricted(account: Account, input: RestrictionInput): Account {
  const { allowedNetworks = account.allowedNetworks, boundTo = account.boundTo } = input;
  const after = restrictionIn(given({ allowedNetworks, boundTo }));
  const isSame = isDeepStrictEqual(restrictionIn(given(account)), after);
  return isSame ? account : { ...withoutRestriction(account), ...after };
}

function given({ allowedNetworks, boundTo }: Given): RestrictionInput {
  return { allowedNetworks: allowedNetworks ?? null, boundTo: boundTo ?? null };
}

interface Given {
  readonly allowedNetworks?: readonly string[] | null | undefined;
  readonly boundTo?: CertificateBinding | null | undefined;
}

/** The record without what restricts it. */
export function withoutRestriction<T extends Restriction>(account: T): Omit<T, keyof Restriction> {
  const { allowedNetworks: _, boundTo: __, ...rest } = account;
  return rest;
}

/** In words, for people. Null: not bound. */
export function bindingWords(boundTo: CertificateBinding | null): string | null {
  if (boundTo === null) return null;
  return 'thumbprint' in boundTo
    ? `the certificate with the SHA-256 thumbprint ${boundTo.thumbprint}`
    : `a certificate of ${boundTo.subject}`;
}
