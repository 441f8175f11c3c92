const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
const GROUPS = 8;
const NETWORK_GROUPS = 4;

/**
 * Who counts as one client where clients are counted: an IPv4 address, or the /64 of an IPv6
 * address, because whoever has one address of a /64 has all of them (RFC 6177).
 *
 * @param address an IP address without brackets; anything else stands for itself
 */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  const mapped = MAPPED.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [left = '', right] = (address.split('%')[0] ?? '').split('::');
  const groups = groupsOf(left);
  if (right !== undefined) {
    const tail = groupsOf(right);
    // An IPv4 address at the end stands for two groups.
    const missing = GROUPS - groups.length - tail.length - (right.includes('.') ? 1 : 0);
    groups.push(...Array.from({ length: Math.max(0, missing) }, () => '0'), ...tail);
  }
  const network = groups
    .slice(0, NETWORK_GROUPS)
    .map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(':')}::/64`;
}

function groupsOf(text: string): string[] {
  return text === '' ? [] : text.split(':');
}
