/**
 * The target gate: a request target is let through only if nobody behind us can read it in another
 * way.
 *
 * Nothing is normalised. Where a normaliser would have had something to do (a dot segment, an empty
 * segment, an escape that need not be one), two programs can disagree about which resource is
 * meant, and the request is refused instead.
 */

/**
 * Segments of plain characters, none beginning with a dot: nearly every real path, and nothing in
 * it can be ambiguous. Brackets are looked at below.
 */
const PLAIN_PATH = /^(?:\/[A-Za-z0-9_~!$&'*+,=:@-][A-Za-z0-9_~!$&'*+,=:@.-]*)*\/?$/;
/** RFC 3986 §3.3 `path-absolute`, escapes well formed. */
const ANY_PATH = /^(?:\/(?:[A-Za-z0-9_~!$&'()*+,;=:@.-]|%[0-9A-Fa-f]{2})*)+$/;
/**
 * RFC 3986 §3.4, and the printable characters that browsers and scripts send unescaped in a query.
 * No `#`, no space.
 */
const QUERY = /^\?[\x21\x22\x24-\x7e]*$/;

/**
 * Escapes that are refused: controls and DEL, `/`, `\`, unreserved characters (RFC 3986 §6.2.2.2:
 * the same resource by two names), and an escaped `%` that makes an escape for whoever decodes
 * twice.
 */
const AMBIGUOUS_ESCAPE =
  /%(?:[01][0-9a-f]|7f|2f|5c|2d|2e|3[0-9]|4[1-9a-f]|5[0-9a]|5f|6[1-9a-f]|7[0-9a]|7e|25[0-9a-f]{2})/i;
/**
 * What a path may not hold even unescaped: an empty segment; a segment that is empty before its
 * path parameter (`/;x/`: some servers strip `;x` first, some also when it is written `%3b`); a
 * segment of dots and blanks alone, which covers `.`, `..` and `..;x`, and `...`, of which Windows
 * leaves nothing; a segment that ends in a blank. A name that ends in a dot is a name: that Windows
 * drops the dot is one of the readings that the routes are asked for (decision/path-readings.ts).
 */
const AMBIGUOUS_SEGMENT = /\/(?:\.|%20)*(?:[/;]|%3b)|\/(?:\.|%20)+$|%20(?:[;/]|%3b|$)/i;
/**
 * The beginning of `(S(…))`, `(A(…)F(…))`: ASP.NET takes it for a session or a ticket, removes it
 * wherever it stands and serves what is left, so that `/(S(x))/secrets` is `/secrets`
 * (CVE-2023-36560, CVE-2023-36899). Refused by its beginning: how it ends is read in several ways.
 */
const COOKIELESS = /(?:\(|%28)[a-z](?:\(|%28)/i;

/**
 * Where the path of an origin-form target ends (the index of `?`, or the length); -1 when the
 * target is ambiguous.
 */
export function pathEnd(target: string): number {
  const question = target.indexOf('?');
  const end = question === -1 ? target.length : question;
  const path = question === -1 ? target : target.slice(0, question);
  if (!isUnambiguousPath(path)) return -1;
  if (question !== -1 && !QUERY.test(target.slice(question))) return -1;
  return end;
}

/** Also used on the path that remains after a prefix was stripped. */
export function isUnambiguousPath(path: string): boolean {
  if (path.length === 0) return false;
  if (PLAIN_PATH.test(path)) return true;
  if (!ANY_PATH.test(path)) return false;
  if (AMBIGUOUS_SEGMENT.test(path) || COOKIELESS.test(path)) return false;
  return !path.includes('%') || hasOnlyHarmlessEscapes(path);
}

function hasOnlyHarmlessEscapes(path: string): boolean {
  if (AMBIGUOUS_ESCAPE.test(path)) return false;
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    // not UTF-8: overlong forms and stray bytes are read differently by different decoders
    return false;
  }
}
