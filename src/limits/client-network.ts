import { groupsOf, ipv4Behind } from '../http/ip-address.ts';

const NETWORK_GROUPS = 4;

/**
 * Who counts as one client where clients are counted: an IPv4 address, also where it stands behind
 * an IPv6 one (mapped, NAT64, 6to4), or the /64 of any other IPv6 address, because whoever has one
 * address of a /64 has all of them (RFC 6177).
 *
 * @param address an IP address without brackets; anything else stands for itself
 */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  const groups = groupsOf(address);
  if (groups === null) return address;
  const network = groups.slice(0, NETWORK_GROUPS).map((group) => group.toString(16));
  return ipv4Behind(address) ?? `${network.join(':')}::/64`;
}
