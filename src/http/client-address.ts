import { BlockList, isIP } from 'node:net';
import { parseHost } from './host.ts';
import { isZonelessAddress, plainAddress } from './ip-address.ts';
import type { ClientCertificate, Peer, RequestHead } from './request-head.ts';
import { SOCKET_PEER } from './socket-address.ts';

/**
 * Whose address a call is recorded under, and what is said about the way it came.
 *
 * One of `Forwarded` and `X-Forwarded-For` is believed, and only from peers in `trustedProxies`:
 * the one that they are known to set (`listen.proxy.clientAddressFrom`). The other one comes from
 * the client as it likes, and is not looked at. It is believed as far as the chain of trusted
 * proxies reaches: the right-most address that is not one of them is the client. Everything further
 * left could have been written by anyone.
 *
 * From the same proxies comes how that client reached the outermost of them: its scheme and the
 * host that it asked for, in the parameters of `Forwarded`, or in `X-Forwarded-Proto` and `-Host`.
 * Services are told so (RFC 7239 §5.3, §5.4); no decision looks at it.
 */
export type ClientAddressField = 'forwarded' | 'x-forwarded-for';

export interface ClientAddress {
  readonly address: string;
  /**
   * The chain to append to: that of the field that is believed, from a trusted proxy; else empty.
   */
  readonly forwardedFor: string;
  readonly forwarded: string;
  /** How the client reached the outermost trusted proxy; empty = as it is here. */
  readonly proto: '' | 'http' | 'https';
  readonly host: string;
}

const MAX_CHAIN = 32;

export class TrustedProxies {
  readonly #list = new BlockList();
  readonly #any: boolean;
  readonly #hasSocket: boolean;
  readonly #from: ClientAddressField;

  /**
   * @param networks addresses, CIDR ranges or `unix`, already checked by the configuration
   * @param from the field that these proxies set
   */
  constructor(networks: readonly string[], from: ClientAddressField = 'x-forwarded-for') {
    this.#from = from;
    this.#any = networks.length > 0;
    this.#hasSocket = networks.includes(SOCKET_PEER);
    for (const network of networks) {
      if (network === SOCKET_PEER) continue;
      const [address, prefix] = network.split('/');
      const family = isIP(address!) === 6 ? 'ipv6' : 'ipv4';
      if (prefix === undefined) this.#list.addAddress(address!, family);
      else this.#list.addSubnet(address!, Number(prefix), family);
    }
  }

  includes(address: string): boolean {
    if (!this.#any) return false;
    const family = isIP(address);
    if (family === 0) return this.#hasSocket && address === SOCKET_PEER;
    return this.#list.check(address, family === 6 ? 'ipv6' : 'ipv4');
  }

  clientOf(head: RequestHead, peer: Peer): ClientAddress {
    if (!this.includes(peer.address)) return addressOnly(peer.address);
    const chain = joined(head, this.#from);
    const entries = chain.split(',');
    if (this.#from === 'forwarded') {
      const { address, hops } = this.#rightmostStranger(
        entries.map((entry) => parameter(entry, 'for')),
        peer.address,
      );
      const proto = schemeOf(nearestSaid(entries, hops, 'proto'));
      const host = parseHost(nearestSaid(entries, hops, 'host')) ?? '';
      return { address, forwardedFor: '', forwarded: chain, proto, host };
    }
    const { address, hops } = this.#rightmostStranger(entries, peer.address);
    const proto = schemeOf(saidAt(joined(head, 'x-forwarded-proto'), hops));
    const host = parseHost(saidAt(joined(head, 'x-forwarded-host'), hops)) ?? '';
    const forwarded = elementOf(hops === 0 ? null : address, proto, host);
    return { address, forwardedFor: chain, forwarded, proto, host };
  }

  /**
   * The right-most address of a list that is not one of these proxies; the peer's where the list
   * says nothing.
   */
  nearestStranger(list: string, peer: string): string {
    return this.#rightmostStranger(list.split(','), peer).address;
  }

  /** `hops`: how many entries were believed, the client's own included. */
  #rightmostStranger(chain: readonly string[], peer: string): { address: string; hops: number } {
    let nearest = peer;
    let hops = 0;
    for (const entry of chain.slice(-MAX_CHAIN).reverse()) {
      const address = plainAddress(bare(entry));
      // What is no address (`unknown`, an obfuscated name) ends what can be known.
      if (!isZonelessAddress(address)) break;
      nearest = address;
      hops += 1;
      if (!this.includes(address)) break;
    }
    return { address: nearest, hops };
  }
}

/** Of a peer that is not believed in anything else. */
export function addressOnly(address: string): ClientAddress {
  return { address, forwardedFor: '', forwarded: '', proto: '', host: '' };
}

/**
 * Which entry of a list the outermost trusted proxy wrote, where each appends one: as far from the
 * right as the client's address is from there. A list that is shorter was written by them alone.
 */
function indexAt(length: number, hops: number): number {
  return Math.max(0, length - Math.max(hops, 1));
}

function saidAt(list: string, hops: number): string {
  const entries = list.split(',');
  return entries[indexAt(entries.length, hops)]!.trim();
}

/**
 * From that proxy's element of `Forwarded`, or where it says nothing from the next nearer one's.
 */
function nearestSaid(elements: readonly string[], hops: number, name: 'proto' | 'host'): string {
  for (let index = indexAt(elements.length, hops); index < elements.length; index += 1) {
    const said = parameter(elements[index]!, name);
    if (said !== '') return said;
  }
  return '';
}

function schemeOf(text: string): '' | 'http' | 'https' {
  const scheme = text.toLowerCase();
  return scheme === 'http' || scheme === 'https' ? scheme : '';
}

/** The same said in `Forwarded` (RFC 7239 §7.4); empty when nothing of it was said. */
function elementOf(address: string | null, proto: string, host: string): string {
  if (proto === '' && host === '') return '';
  const node = address === null ? 'unknown' : forwardedNode(address);
  const scheme = proto === '' ? '' : `;proto=${proto}`;
  return `for=${node}${scheme}${host === '' ? '' : `;host="${host}"`}`;
}

/** RFC 7239 §6: IPv6 in brackets, and quoted because of its colons; no address is `unknown`. */
export function forwardedNode(address: string): string {
  if (address === SOCKET_PEER) return 'unknown';
  return address.includes(':') ? `"[${address}]"` : address;
}

/** Behind a trusted proxy a connection's is that of the proxy, and says nothing of the client. */
export function certificateOf(
  { certificate = null, address }: Peer,
  trusted: TrustedProxies,
): ClientCertificate | null {
  return certificate === null || trusted.includes(address) ? null : certificate;
}

function joined(head: RequestHead, name: string): string {
  let value = '';
  head.names.forEach((field, index) => {
    if (field.lower === name)
      value += value === '' ? head.values[index]! : `, ${head.values[index]!}`;
  });
  return value;
}

const PARAMETERS = {
  for: /(?:^|;)\s*for\s*=\s*"?([^";]*)"?/i,
  proto: /(?:^|;)\s*proto\s*=\s*"?([^";]*)"?/i,
  host: /(?:^|;)\s*host\s*=\s*"?([^";]*)"?/i,
} as const;

/** A parameter of one `Forwarded` element (RFC 7239 §4); empty when it is not there. */
function parameter(element: string, name: keyof typeof PARAMETERS): string {
  return PARAMETERS[name].exec(element)?.[1]?.trim() ?? '';
}

/** An address without white space, brackets and port. */
function bare(entry: string): string {
  const text = entry.trim();
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(text);
  if (bracketed !== null) return bracketed[1]!;
  return /^[\d.]+:\d+$/.test(text) ? text.slice(0, text.indexOf(':')) : text;
}
