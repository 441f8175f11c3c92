import * as oidc from 'openid-client';

/**
 * The provider cannot be reached, or answers what nobody can work with. Says nothing about the
 * person.
 */
export class ProviderAway extends Error {
  override readonly name = 'ProviderAway';
  /**
   * Whether the provider was asked just now: what is only remembered is not worth a line of the
   * log.
   */
  readonly wasAsked: boolean;

  constructor(why: string, { wasAsked }: { readonly wasAsked: boolean }) {
    super(why);
    this.wasAsked = wasAsked;
  }
}

/** The provider does not vouch for whoever came back, or what it said does not stand up. */
export class ProviderRefused extends Error {
  override readonly name = 'ProviderRefused';
}

/**
 * Faults of the answer itself. Whatever else goes wrong, goes wrong between us and the provider.
 */
const REFUSALS: readonly string[] = [
  'OAUTH_AUTHORIZATION_RESPONSE_ERROR',
  'OAUTH_INVALID_RESPONSE',
  'OAUTH_PARSE_ERROR',
  'OAUTH_JWT_CLAIM_COMPARISON_FAILED',
  'OAUTH_JWT_TIMESTAMP_CHECK_FAILED',
  'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED',
  'OAUTH_KEY_SELECTION_FAILED',
];

export function judged(error: unknown): ProviderAway | ProviderRefused {
  if (error instanceof ProviderAway || error instanceof ProviderRefused) return error;
  const { code } = error as { readonly code?: unknown };
  const isRefusal =
    error instanceof oidc.ResponseBodyError
      ? error.error === 'invalid_grant'
      : REFUSALS.includes(String(code));
  return isRefusal
    ? new ProviderRefused(wordsOf(error))
    : new ProviderAway(wordsOf(error), { wasAsked: true });
}

/**
 * For the log. Built from words of the library and of the standard alone: what hangs on its errors
 * holds codes and tokens.
 */
export function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const { code } = error as { readonly code?: unknown };
  const why = error instanceof oidc.ResponseBodyError ? ` ${error.error.slice(0, 64)}` : '';
  return `${error.message}${typeof code === 'string' ? ` (${code}${why})` : ''}`;
}

/**
 * Whether it was our secret that the provider did not take (RFC 6749 §5.2): nothing was done with
 * what we have sent.
 */
export function isUnknownClient(error: unknown): boolean {
  if (error instanceof oidc.ResponseBodyError) return error.error === 'invalid_client';
  return error instanceof oidc.WWWAuthenticateChallengeError && error.status === 401;
}
