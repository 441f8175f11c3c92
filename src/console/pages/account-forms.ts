/** What the forms of machines and of people have in common. */

/**
 * A day as the browser gives it, to its end in UTC; empty = never. What is no day goes on as it is,
 * for administration to say so.
 */
export function expiryFrom(day: string): string | null {
  if (day === '') return null;
  return /^\d{4}-\d{2}-\d{2}$/.test(day) ? `${day}T23:59:59Z` : day;
}

/** The day that a form shows for an expiry. */
export function dayOf(expiresAt: string | null): string {
  return expiresAt?.slice(0, 10) ?? '';
}
