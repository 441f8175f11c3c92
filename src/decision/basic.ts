/** The user name and the password of `Basic` (RFC 7617). */
export interface BasicPair {
  readonly user: string;
  readonly password: string;
}

const SCHEME = 'basic';
const SPACE = 32;
/** Of the encoded pair: a token and a user name of about 300 bytes. */
const MAX_ENCODED = 512;
const TOKEN68 = /^[A-Za-z0-9+/]+={0,2}$/;

/**
 * Reads `"Basic" 1*SP base64(user ":" password)` in its one canonical form: what decodes in more
 * than one way, or only to a lenient reader, is no pair. Bytes beyond ASCII are taken one by one
 * (latin-1): no token has any.
 *
 * @returns null when it is Basic, and not well-formed
 */
export function readPassword(authorization: string): BasicPair | null | 'another scheme' {
  const isBasic =
    authorization.slice(0, SCHEME.length).toLowerCase() === SCHEME &&
    (authorization.length === SCHEME.length || authorization.charCodeAt(SCHEME.length) === SPACE);
  if (!isBasic) return 'another scheme';
  let start = SCHEME.length;
  while (authorization.charCodeAt(start) === SPACE) start++;
  const encoded = authorization.slice(start);
  if (encoded.length > MAX_ENCODED || !TOKEN68.test(encoded)) return null;
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.toString('base64') !== encoded) return null;
  const text = bytes.toString('latin1');
  const colon = text.indexOf(':');
  return colon === -1 ? null : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
