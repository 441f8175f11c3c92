/** What must never leave the process in a log line, an event or an error text. */

/**
 * A token (`slp_` + 12 + `_` + 49), also cut short, as people paste it into paths and user agents,
 * also right behind one another, and with any of its characters percent-encoded, however often. A
 * token written in any other encoding is not recognised.
 */
const TOKEN = /slp_([0-9A-Za-z]{12})_(?:(?!slp_)[0-9A-Za-z]){8,}/gi;
/**
 * Credentials of an Authorization value (RFC 9110 §11.4) and of a URL's userinfo (RFC 3986 §3.2.1).
 */
const CREDENTIALS = /\b(bearer|basic|digest|negotiate)\s+[\w.~+/=-]{8,}/gi;
const USERINFO = /(\b[a-z][a-z0-9+.-]{0,20}:\/\/)[^/@\s]*@/gi;
const SECRET_NAME =
  /authorization|password|passwd|secret|cookie|digest|credential|privatekey|^token$|bearertoken|accesstoken/i;

/**
 * The text with the secret of every token in it replaced; the account id stays, it is no secret.
 */
export function withoutTokens(text: string): string {
  // A search is all that almost every text pays for.
  if (text.includes('%')) return MAYBE_TOKEN.test(text) ? withoutEscapedTokens(text) : text;
  if (!text.includes('slp') && !text.includes('SLP')) return text;
  return text.replace(TOKEN, 'slp_$1_(removed)');
}

/**
 * A token begins here, or there are escapes of `%`, letters or digits, which need not be escaped.
 */
const MAYBE_TOKEN = /slp|%(?:25|3[0-9]|[46][1-9a-f]|[57][0-9a])/i;

/**
 * Looks for tokens in what the text says when it is decoded; what is none stays as it is written.
 */
function withoutEscapedTokens(text: string): string {
  const { decoded, ends } = percentDecoded(text);
  let kept = '';
  let from = 0;
  for (const { 0: token, 1: id, index } of decoded.matchAll(TOKEN)) {
    kept += `${text.slice(from, index === 0 ? 0 : ends[index - 1])}slp_${id}_(removed)`;
    from = ends[index + token.length - 1]!;
  }
  return kept === '' ? text : kept + text.slice(from);
}

/**
 * ASCII escapes decoded, also those that decoding makes (`%2573`), in one pass. `ends`: where each
 * character of it ends in the text.
 */
function percentDecoded(text: string): {
  readonly decoded: string;
  readonly ends: readonly number[];
} {
  const characters: string[] = [];
  const ends: number[] = [];
  for (let at = 0; at < text.length; at += 1) {
    characters.push(text[at]!);
    ends.push(at + 1);
    for (let one = lastEscape(characters); one !== null; one = lastEscape(characters)) {
      characters.splice(-3, 3, one);
      ends.splice(-3, 3, at + 1);
    }
  }
  return { decoded: characters.join(''), ends };
}

/** What the last three characters stand for; null: they are no escape of an ASCII character. */
function lastEscape(characters: readonly string[]): string | null {
  const length = characters.length;
  if (characters[length - 3] !== '%') return null;
  const hex = `${characters[length - 2]}${characters[length - 1]}`;
  return /^[0-7][0-9a-f]$/i.test(hex) ? String.fromCharCode(Number.parseInt(hex, 16)) : null;
}

/** The text without tokens, `Authorization` credentials and passwords in URLs. */
export function withoutSecrets(text: string): string {
  return withoutTokens(text).replace(CREDENTIALS, '$1 (removed)').replace(USERINFO, '$1(removed)@');
}

/** Whether a field of this name may hold a secret whatever its value looks like. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name.replaceAll(/[-_]/g, ''));
}
