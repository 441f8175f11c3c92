import { BlockList, isIP, SocketAddress } from 'node:net';
import { groupsOf, plainAddress } from './ip-address.ts';

/** Networks of clients: addresses and ranges in CIDR form (RFC 4632, RFC 4291 §2.3). */

const MAPPED_BITS = 96;

/** In its one spelling (`10.0.0.0/8`, `2001:db8::/32`, `192.0.2.7`), or what is wrong with it. */
export type NetworkRead =
  | { readonly network: string }
  /** To follow the text itself: `is …`. */
  | { readonly fault: string };

/**
 * Reads an address or a range. IPv4 in IPv6 (`::ffff:0:0/96`) is IPv4. A range whose address has
 * bits behind its length is refused: it could mean the address as well.
 */
export function readNetwork(text: string): NetworkRead {
  const [address = '', bits, ...rest] = text.split('/');
  if (isIP(address) === 0 || address.includes('%') || rest.length > 0) return NO_NETWORK;
  if (bits === undefined) return { network: canonical(address) };
  const ipv4 = plainAddress(address);
  const isMapped = ipv4 !== address;
  const most = isIP(address) === 4 ? 32 : 128;
  const length = Number(bits);
  if (!/^(?:0|[1-9][0-9]{0,2})$/.test(bits) || length > most) return NO_NETWORK;
  if (isMapped && length < MAPPED_BITS) return NO_NETWORK;
  const plain = canonical(address);
  const prefix = isMapped ? length - MAPPED_BITS : length;
  const first = firstOf(plain, prefix);
  if (first !== plain) return { fault: `has bits behind its length: write ${first}/${prefix}` };
  return { network: `${plain}/${prefix}` };
}

const NO_NETWORK: NetworkRead = {
  fault: 'is not an IP address or a range such as 10.0.0.0/8 or 2001:db8::/32',
};

function canonical(address: string): string {
  const plain = plainAddress(address);
  return isIP(plain) === 4 ? plain : new SocketAddress({ address: plain, family: 'ipv6' }).address;
}

/** The first address of the range. */
function firstOf(address: string, prefix: number): string {
  if (isIP(address) === 4) {
    const number = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
    const size = 2 ** (32 - prefix);
    const first = Math.floor(number / size) * size;
    return [24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256).join('.');
  }
  const groups = groupsOf(address)!.map((group, index) => {
    const kept = Math.min(16, Math.max(0, prefix - 16 * index));
    return (group & (0xffff << (16 - kept)) & 0xffff).toString(16);
  });
  return canonical(groups.join(':'));
}

/** Compiled once for each list, when it is first asked. */
const compiled = new WeakMap<readonly string[], BlockList>();

/**
 * Whether an address is in one of these networks (as `readNetwork` spells them). A mapped address
 * (`::ffff:0:0/96`) is the IPv4 address itself. Behind one of NAT64 or 6to4 another stands, and
 * that counts for nothing here: whoever can set addresses in an IPv6 network can write any IPv4
 * address into one. What is no address is in none.
 */
export function isInNetworks(networks: readonly string[], address: string): boolean {
  const plain = plainAddress(address);
  const family = isIP(plain);
  if (family === 0) return false;
  let list = compiled.get(networks);
  if (list === undefined) {
    list = listOf(networks);
    compiled.set(networks, list);
  }
  return list.check(plain, family === 4 ? 'ipv4' : 'ipv6');
}

/** What cannot be read lets nobody in. */
function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    if ('fault' in readNetwork(network)) continue;
    const [address = '', bits] = network.split('/');
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}
