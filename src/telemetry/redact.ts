/** What must never leave the process in a log line, an event or an error text. */

/**
 * A token (`slp_` + 12 + `_` + 49), also cut short or with its underscores percent-encoded, as
 * people paste it into paths and user agents, also right behind one another. A token written in any
 * other encoding is not recognised.
 */
const TOKEN = /slp(?:_|%5f)([0-9A-Za-z]{12})(?:_|%5f)(?:(?!slp(?:_|%5f))[0-9A-Za-z]){8,}/gi;
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
  // The search is all that almost every text pays for.
  if (!text.includes('slp') && !text.includes('SLP')) return text;
  return text.replace(TOKEN, 'slp_$1_(removed)');
}

/** The text without tokens, `Authorization` credentials and passwords in URLs. */
export function withoutSecrets(text: string): string {
  return withoutTokens(text).replace(CREDENTIALS, '$1 (removed)').replace(USERINFO, '$1(removed)@');
}

/** Whether a field of this name may hold a secret whatever its value looks like. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name.replaceAll(/[-_]/g, ''));
}
