import { BlockList, isIP } from 'node:net';
import { plainAddress } from '../http/ip-address.ts';

/** Addresses of clients, as somebody asks for them and as events have them. */

interface Asked {
  readonly address: string;
  /** 4 or 6; 0: it is no address. */
  readonly family: number;
  readonly length: number;
}

/** Null: neither an address nor a network. */
function networkIn(text: string): Asked | null {
  const [address = '', bits, ...more] = text.split('/');
  const family = isIP(address);
  const most = family === 4 ? 32 : 128;
  const length = bits === undefined ? most : Number(bits);
  const isOne = family !== 0 && more.length === 0 && /^\d{1,3}$/.test(bits ?? '0');
  return isOne && length <= most ? { address, family, length } : null;
}

/** What is kept instead of an address (its hash) has none of an address's signs. */
export function isNetworkOrAddress(text: string): boolean {
  return networkIn(text) !== null || !/[/.:]/.test(text);
}

/**
 * Whether an event's address is the one, or in the network, that is asked for, however either is
 * written. What is kept instead of an address (its hash, a network) is compared as text.
 */
export function addressMatcher(asked: string): (said: unknown) => boolean {
  const network = networkIn(asked);
  const list = new BlockList();
  if (network !== null) list.addSubnet(network.address, network.length, familyName(network.family));
  return (said) => {
    if (typeof said !== 'string') return false;
    const plain = plainAddress(said);
    const family = isIP(plain);
    return said === asked || (family !== 0 && list.check(plain, familyName(family)));
  };
}

function familyName(family: number): 'ipv4' | 'ipv6' {
  return family === 4 ? 'ipv4' : 'ipv6';
}
