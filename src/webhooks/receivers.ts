import { BlockList, isIP, type LookupFunction } from 'node:net';
import { groupsOf, ipv4Behind, plainAddress } from '../http/ip-address.ts';
import { isInNetworks } from '../http/network.ts';

/**
 * Where nothing is ever sent: addresses of no host, of this link (with the metadata of machines in
 * clouds), and those at which clouds serve metadata elsewhere. No `networks` lets them in.
 */
const NEVER = listOf(
  ['0.0.0.0', 8],
  ['169.254.0.0', 16],
  ['100.100.100.200', 32],
  ['168.63.129.16', 32],
  ['192.0.0.192', 32],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  ['::', 128],
  ['fe80::', 10],
  ['ff00::', 8],
  ['fd00:ec2::254', 128],
  ['fd20:ce::254', 128],
);

/** What is not public (IANA's registries of special-purpose addresses), beside those. */
const PRIVATE = listOf(
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['3fff::', 20],
);

/** `2000::/3`: all that is public of IPv6. */
const GLOBAL = { first: 0x2000, mask: 0xe000 } as const;

function listOf(...networks: readonly (readonly [address: string, bits: number])[]): BlockList {
  const list = new BlockList();
  for (const [address, bits] of networks)
    list.addSubnet(address, bits, isIP(address) === 4 ? 'ipv4' : 'ipv6');
  return list;
}

function isIn(list: BlockList, address: string): boolean {
  return list.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6');
}

/**
 * Whether something may be sent to an address. Behind an address of NAT64 or 6to4 stands another
 * one, and that is judged as well: a public prefix is no way into a private network.
 *
 * @param networks where it may be; null: at any public address
 */
export function mayReceive(address: string, networks: readonly string[] | null): boolean {
  const plain = plainAddress(address);
  if (isIP(plain) === 0 || plain.includes('%') || isIn(NEVER, plain)) return false;
  const behind = isIP(plain) === 6 ? ipv4Behind(plain) : null;
  if (behind !== null && isIn(NEVER, behind)) return false;
  if (networks !== null) return isInNetworks(networks, plain);
  if (isIP(plain) === 4) return !isIn(PRIVATE, plain);
  // NAT64 of this very network may lead anywhere in it, but not to where its IPv4 address says.
  if (behind !== null) return !isIn(PRIVATE, behind) && !isLocalNat64(plain);
  const [first = 0] = groupsOf(plain) ?? [];
  return (first & GLOBAL.mask) === GLOBAL.first && !isIn(PRIVATE, plain);
}

/** `64:ff9b:1::/48` (RFC 8215). */
function isLocalNat64(address: string): boolean {
  const [one, two, three] = groupsOf(address) ?? [];
  return one === 0x64 && two === 0xff9b && three === 1;
}

/** Nothing was sent: the name stands for an address that may not receive, or the URL names one. */
class ReceiverRefused extends Error {
  override readonly name = 'ReceiverRefused';

  constructor(host: string, isPublicWanted: boolean) {
    const why = isPublicWanted
      ? 'stands for an address that is not public; say where it is in networks'
      : 'stands for an address outside its networks';
    super(`${host} ${why}`);
  }
}

/**
 * The look-up of a connection, which then goes to the very addresses that were judged: a name that
 * stands for another address a moment later leads nowhere else. All that a name stands for must
 * do, since one that mixes public and private addresses is no accident.
 */
export function guardedLookup(
  lookup: LookupFunction,
  networks: readonly string[] | null,
): LookupFunction {
  return (host, options, done) =>
    lookup(host, { ...options, all: true }, (error, found) => {
      const addresses = Array.isArray(found) ? found : [];
      const [first] = addresses;
      if (error !== null || first === undefined) return done(error, '', 0);
      if (!addresses.every(({ address }) => mayReceive(address, networks)))
        return done(new ReceiverRefused(host, networks === null), '', 0);
      if (options.all === true) done(null, addresses);
      else done(null, first.address, first.family);
    });
}

/** An address in a URL is looked up by nobody. Throws `ReceiverRefused`. */
export function assertReceiver(url: URL, networks: readonly string[] | null): void {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && !mayReceive(host, networks))
    throw new ReceiverRefused(host, networks === null);
}
