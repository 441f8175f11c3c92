/**
 * `Via` (RFC 9110 §7.6.3): what was there before us, and by which protocol the message came to us.
 *
 * @param before values that the message had, each with `, ` behind it; empty = none
 * @param gate our name; empty: we are left out, and what was there goes on as it is
 */
export function viaField(before: string, receivedProtocol: string, gate: string): string {
  if (gate !== '') return `Via: ${before}${receivedProtocol} ${gate}\r\n`;
  return before === '' ? '' : `Via: ${before.slice(0, -2)}\r\n`;
}
