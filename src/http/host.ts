import { isIPv6 } from 'node:net';
import { ownText, Recent } from './recent.ts';

/**
 * `Host = uri-host [ ":" [ port ] ]` (RFC 9110 §7.2, RFC 3986 §3.2.3), narrowed to what names a
 * server in practice: a DNS name (underscores allowed: container networks have them), an IPv4
 * address or a bracketed IPv6 literal. No user info, no path, no list, no escapes, no zone ids.
 */
const NAME_AND_PORT =
  /^([A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?)(?::(\d{0,5}))?$/;
const LITERAL_AND_PORT = /^\[([0-9A-Fa-f:.]{2,45})\](?::(\d{0,5}))?$/;

const MAX_LENGTH = 261;
/** Hosts in one generation; two are held. */
const REMEMBERED = 512;
const remembered = new Recent<string>(REMEMBERED);

/**
 * The host in lower case, without the colon of an empty port (RFC 3986 §6.2.3), or null when it is
 * not one. What was checked once is remembered, in a bounded table.
 */
export function parseHost(value: string): string | null {
  const known = remembered.get(value);
  if (known !== undefined) return known;
  if (value.length === 0 || value.length > MAX_LENGTH) return null;
  const match = NAME_AND_PORT.exec(value) ?? LITERAL_AND_PORT.exec(value);
  if (match === null) return null;
  if (value.startsWith('[') && !isIPv6(match[1]!)) return null;
  if (match[2] !== undefined && Number(match[2]) > 65535) return null;
  const own = ownText(value);
  const lower = (own.endsWith(':') ? own.slice(0, -1) : own).toLowerCase();
  remembered.set(own, lower);
  return lower;
}
