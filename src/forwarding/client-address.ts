import { BlockList, isIP } from 'node:net';
import { plainAddress } from '../wire/ip-address.ts';
import type { Peer, RequestHead } from '../wire/request-head.ts';

/**
 * Whose address a call is recorded under, and what is said about the way it came.
 *
 * One of `Forwarded` and `X-Forwarded-For` is believed, and only from peers in `trustedProxies`: the
 * one that they are known to set (`listen.proxy.clientAddressFrom`). The other one comes from the
 * client as it likes, and is not looked at. It is believed as far as the chain of trusted proxies
 * reaches: the right-most address that is not one of them is the client. Everything further left
 * could have been written by anyone.
 */
export type ClientAddressField = 'forwarded' | 'x-forwarded-for';

export interface ClientAddress {
  readonly address: string;
  /**
   * The chain to append to: that of the field that is believed, from a trusted proxy; else empty.
   */
  readonly forwardedFor: string;
  readonly forwarded: string;
}

const MAX_CHAIN = 32;

export class TrustedProxies {
  readonly #list = new BlockList();
  readonly #any: boolean;
  readonly #from: ClientAddressField;

  /**
   * @param networks addresses or CIDR ranges, already checked by the configuration
   * @param from the field that these proxies set
   */
  constructor(networks: readonly string[], from: ClientAddressField = 'x-forwarded-for') {
    this.#from = from;
    this.#any = networks.length > 0;
    for (const network of networks) {
      const [address, prefix] = network.split('/');
      const family = isIP(address!) === 6 ? 'ipv6' : 'ipv4';
      if (prefix === undefined) this.#list.addAddress(address!, family);
      else this.#list.addSubnet(address!, Number(prefix), family);
    }
  }

  includes(address: string): boolean {
    if (!this.#any) return false;
    const family = isIP(address);
    return family !== 0 && this.#list.check(address, family === 6 ? 'ipv6' : 'ipv4');
  }

  clientOf(head: RequestHead, peer: Peer): ClientAddress {
    if (!this.includes(peer.address))
      return { address: peer.address, forwardedFor: '', forwarded: '' };
    const chain = joined(head, this.#from);
    const entries = chain.split(',');
    return this.#from === 'forwarded'
      ? {
          address: this.#rightmostStranger(entries.map(forParameter), peer.address),
          forwardedFor: '',
          forwarded: chain,
        }
      : {
          address: this.#rightmostStranger(entries, peer.address),
          forwardedFor: chain,
          forwarded: '',
        };
  }

  #rightmostStranger(chain: readonly string[], peer: string): string {
    let nearest = peer;
    for (const entry of chain.slice(-MAX_CHAIN).reverse()) {
      const address = plainAddress(bare(entry));
      // What is no address (`unknown`, an obfuscated name) ends what can be known.
      if (isIP(address) === 0) return nearest;
      nearest = address;
      if (!this.includes(address)) return address;
    }
    return nearest;
  }
}

function joined(head: RequestHead, name: string): string {
  let value = '';
  head.names.forEach((field, index) => {
    if (field.lower === name)
      value += value === '' ? head.values[index]! : `, ${head.values[index]!}`;
  });
  return value;
}

/** `for=` of one `Forwarded` element (RFC 7239 §5.2). */
function forParameter(element: string): string {
  const match = /(?:^|;)\s*for\s*=\s*"?([^";]*)"?/i.exec(element);
  return match === null ? '' : match[1]!;
}

/** An address without white space, brackets and port. */
function bare(entry: string): string {
  const text = entry.trim();
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(text);
  if (bracketed !== null) return bracketed[1]!;
  return /^[\d.]+:\d+$/.test(text) ? text.slice(0, text.indexOf(':')) : text;
}
