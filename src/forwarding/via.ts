import type { Fields } from '../http/fields.ts';

/**
 * `Via` (RFC 9110 §7.6.3): what was there before us, and by which protocol the message came to us.
 *
 * @param before values that the message had, each with `, ` behind it; empty = none
 * @param gate our name; empty: we are left out, and what was there goes on as it is
 */
export function addVia(
  fields: Fields,
  before: string,
  receivedProtocol: string,
  gate: string,
): void {
  if (gate !== '') fields.add('Via', `${before}${receivedProtocol} ${gate}`);
  else if (before !== '') fields.add('Via', before.slice(0, -2));
}
