import { beginsLikeToken, parseToken } from '../account/token.ts';

/** What the Authorization field presents. */
export type Credential =
  | { readonly presented: 'token'; readonly token: string; readonly accountId: string }
  /** No field, or another scheme. */
  | { readonly presented: 'nothing' }
  | { readonly presented: 'malformed' };

const NOTHING: Credential = { presented: 'nothing' };
const MALFORMED: Credential = { presented: 'malformed' };

const SCHEME = 'bearer';
const SPACE = 32;
/**
 * RFC 9110 §5.6.2: a character that would make the scheme a longer word, i.e. another scheme
 * (`Bearer-x`).
 */
const TOKEN_CHARACTER = /^[!#$%&'*+.^_`|~0-9A-Za-z-]$/;

/**
 * Reads the credential: exactly RFC 6750 §2.1 (`"Bearer" 1*SP b64token`, the scheme in any case by
 * RFC 9110 §11.1), and nothing before, between or after. No regular expression runs over the field,
 * and no look-up is made for what has the wrong form or checksum. `acceptBare`: the route also
 * takes the token without a scheme, which the LifeTime pipeline client sends.
 */
export function readCredential(authorization: string | null, acceptBare: boolean): Credential {
  if (authorization === null) return NOTHING;
  if (!hasBearerScheme(authorization)) {
    return acceptBare && beginsLikeToken(authorization) ? claim(authorization) : NOTHING;
  }
  let start = SCHEME.length;
  while (authorization.charCodeAt(start) === SPACE) start++;
  return start === SCHEME.length ? MALFORMED : claim(authorization.slice(start));
}

function hasBearerScheme(authorization: string): boolean {
  if (authorization.slice(0, SCHEME.length).toLowerCase() !== SCHEME) return false;
  return (
    authorization.charCodeAt(SCHEME.length) === SPACE ||
    !TOKEN_CHARACTER.test(authorization.charAt(SCHEME.length))
  );
}

function claim(token: string): Credential {
  const accountId = parseToken(token);
  return accountId === null ? MALFORMED : { presented: 'token', token, accountId };
}
