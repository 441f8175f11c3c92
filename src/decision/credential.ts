import { beginsLikeToken, parseToken } from '../account/token.ts';
import { readPassword } from './basic.ts';

/** How a token was presented, where it was in another way than with `Bearer`. */
export type OtherScheme = 'basic';

/**
 * What the caller may be told about a token that is none, beyond that: fixed phrases, about the
 * form of what was sent and nothing else.
 */
export type TokenDetail =
  | 'the token ends with a line break'
  | 'the token is in the place of the user name: Basic takes it as the password';

/** What the Authorization field presents. */
export type Credential =
  | {
      readonly presented: 'token';
      readonly token: string;
      readonly accountId: string;
      readonly scheme: OtherScheme | null;
    }
  /** No field, or another scheme. */
  | { readonly presented: 'nothing' }
  | {
      readonly presented: 'malformed';
      readonly scheme: OtherScheme | null;
      readonly detail: TokenDetail | null;
    };

/** What a route understands beside `Bearer`. */
export interface AcceptedSchemes {
  /** `Authorization: <token>`, which the LifeTime pipeline client sends. */
  readonly acceptBareToken: boolean;
  /** The token as the password of Basic (RFC 7617), for clients that can do nothing else. */
  readonly acceptBasic: boolean;
}

const NOTHING: Credential = { presented: 'nothing' };
const MALFORMED: Credential = { presented: 'malformed', scheme: null, detail: null };

const SCHEME = 'bearer';
const USUAL = 'Bearer ';
const SPACE = 32;
/**
 * RFC 9110 §5.6.2: a character that would make the scheme a longer word, i.e. another scheme
 * (`Bearer-x`).
 */
const TOKEN_CHARACTER = /^[!#$%&'*+.^_`|~0-9A-Za-z-]$/;

/**
 * Reads the credential: exactly RFC 6750 §2.1 (`"Bearer" 1*SP b64token`, the scheme in any case by
 * RFC 9110 §11.1), and nothing before, between or after. No regular expression runs over the field,
 * and no look-up is made for what has the wrong form or checksum.
 *
 * @param accepted what the route understands beside it; null = nothing
 */
export function readCredential(
  authorization: string | null,
  accepted: AcceptedSchemes | null,
): Credential {
  if (authorization === null) return NOTHING;
  // As nearly every client writes it.
  if (authorization.startsWith(USUAL) && authorization.charCodeAt(USUAL.length) !== SPACE)
    return claim(authorization.slice(USUAL.length));
  if (!hasBearerScheme(authorization)) {
    if (accepted === null) return NOTHING;
    if (accepted.acceptBareToken && beginsLikeToken(authorization)) return claim(authorization);
    return accepted.acceptBasic ? readBasic(authorization) : NOTHING;
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
  return accountId === null ? MALFORMED : { presented: 'token', token, accountId, scheme: null };
}

/** The user name counts for nothing: the token names its account itself. */
function readBasic(authorization: string): Credential {
  const pair = readPassword(authorization);
  if (pair === 'another scheme') return NOTHING;
  const malformed = { presented: 'malformed', scheme: 'basic', detail: null } as const;
  if (pair === null) return malformed;
  const { user, password: token } = pair;
  const accountId = parseToken(token);
  if (accountId !== null) return { presented: 'token', token, accountId, scheme: 'basic' };
  if (parseToken(token.replace(/[\r\n]+$/, '')) !== null)
    return { ...malformed, detail: 'the token ends with a line break' };
  return parseToken(user) === null
    ? malformed
    : {
        ...malformed,
        detail: 'the token is in the place of the user name: Basic takes it as the password',
      };
}
