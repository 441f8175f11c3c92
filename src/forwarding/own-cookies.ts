/**
 * The console's cookies. A browser knows no ports: what the console sets for a host it also sends
 * to the gate beside it, and what an upstream sets there it sends to the console. So they are taken
 * out in both directions.
 */

/** Every cookie of ours begins so. */
export const OWN_COOKIE = '__Host-sallyport';
/**
 * Anywhere in the pair, in any case: names without a value, or behind an empty name, are read so.
 */
const OURS = /__host-sallyport/i;

/** A `Cookie` field without ours; null when nothing is left of it. What is left stays as it is. */
export function withoutOwnCookies(value: string): string | null {
  if (!OURS.test(value)) return value;
  const left = value.split(';').filter((pair) => !OURS.test(pair));
  return left.length === 0 ? null : left.join(';').trim();
}

/**
 * Whether a `Set-Cookie` field would set one of ours: judged by its pair, not by its attributes.
 */
export function setsOwnCookie(value: string): boolean {
  return OURS.test(value) && OURS.test(value.split(';', 1)[0]!);
}
