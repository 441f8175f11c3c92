import { isIP, isIPv4, isIPv6 } from 'node:net';

/**
 * The one place that knows in how many ways an IPv4 address can be written in IPv6.
 *
 * `::ffff:0:0/96` (RFC 4291 §2.5.5.2) is the same address: sockets of both families show it so, in
 * dots or in hex. `64:ff9b::/96` and `64:ff9b:1::/48` (NAT64, RFC 6052 §2.1, RFC 8215) and
 * `2002::/16` (6to4, RFC 3056) are other addresses behind which an IPv4 one stands: who has the
 * IPv4 address has all of these, so they are counted as one client. Who has one of these need not
 * have the IPv4 address, so nobody is let in by it.
 */

const HEX_GROUPS = 8;
const MAPPED = [0, 0, 0, 0, 0, 0xffff] as const;
const NAT64 = [0x64, 0xff9b] as const;
const SIX_TO_FOUR = 0x2002;

/** An IPv4-mapped address in its own form, in dots; every other as it is. */
export function plainAddress(address: string): string {
  // The quick way for nearly all: IPv4, and IPv6 that cannot be mapped.
  if (!address.includes(':') || !/^[0:]*:ffff:/i.test(address)) return address;
  const groups = groupsOf(address);
  if (groups === null || !MAPPED.every((group, index) => groups[index] === group)) return address;
  return dotted(groups[6]!, groups[7]!);
}

/**
 * Whether it is an address that another host may speak of. A zone (`fe80::1%eth0`, RFC 4007) means
 * nothing there, and can be a text of any length.
 */
export function isZonelessAddress(text: string): boolean {
  return isIP(text) !== 0 && !text.includes('%');
}

/**
 * The IPv4 address that stands behind an IPv6 address, by mapping, NAT64 or 6to4; null where none
 * does, and for what is no IPv6 address.
 */
export function ipv4Behind(address: string): string | null {
  const groups = groupsOf(address);
  if (groups === null) return null;
  const [one, two, three] = groups;
  if (MAPPED.every((group, index) => groups[index] === group))
    return dotted(groups[6]!, groups[7]!);
  if (one === SIX_TO_FOUR) return dotted(two!, three!);
  if (one !== NAT64[0] || two !== NAT64[1]) return null;
  const wellKnown = groups.slice(2, 6).every((group) => group === 0);
  return wellKnown || three === 1 ? dotted(groups[6]!, groups[7]!) : null;
}

/** The eight groups of an IPv6 address, its zone left out; null for what is none. */
export function groupsOf(address: string): readonly number[] | null {
  const zone = address.indexOf('%');
  const bare = zone === -1 ? address : address.slice(0, zone);
  if (!isIPv6(bare)) return null;
  const [left = '', right] = bare.split('::');
  const front = halfOf(left);
  if (right === undefined) return front;
  const back = halfOf(right);
  const zeros = Array.from({ length: HEX_GROUPS - front.length - back.length }, () => 0);
  return [...front, ...zeros, ...back];
}

function halfOf(text: string): readonly number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!isIPv4(group)) return [Number.parseInt(group, 16)];
    const [a, b, c, d] = group.split('.').map(Number) as [number, number, number, number];
    return [a * 256 + b, c * 256 + d];
  });
}

function dotted(high: number, low: number): string {
  return `${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}`;
}
