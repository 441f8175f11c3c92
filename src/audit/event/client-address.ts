import { createHmac } from 'node:crypto';
import { groupsOf, ipv4Behind } from '../../http/ip-address.ts';
import { SOCKET_PEER } from '../../http/socket-address.ts';

/** `audit.clientAddress`. */
export type AddressForm = 'full' | 'truncated' | 'hashed';

/** Digests kept, so that a client that calls again and again is not hashed each time. */
const KEPT = 4096;
/** Of the digest, in hex digits: 128 bits. */
const DIGITS = 32;

/**
 * What the record says of the address of a client. Whoever judges or counts by addresses does so by
 * the full one before.
 */
export class ClientAddresses {
  /** Null: nothing can be said, so the field is left out. */
  readonly recorded: (address: string) => string | null;
  readonly form: AddressForm;
  #key: Buffer | null = null;
  #kept = new Map<string, string>();

  constructor(form: AddressForm) {
    this.form = form;
    if (form === 'full') this.recorded = (address) => address;
    else if (form === 'truncated') this.recorded = truncated;
    else this.recorded = (address) => this.#hashed(address);
  }

  /** Takes over the key of the installation: until then nothing is said of an address. */
  useKey(key: Buffer): void {
    if (this.#key?.equals(key)) return;
    this.#key = key;
    this.#kept = new Map();
  }

  #hashed(address: string): string | null {
    if (address === SOCKET_PEER) return address;
    const kept = this.#kept.get(address);
    if (kept !== undefined) return kept;
    const text = canonical(address);
    if (this.#key === null || text === null) return null;
    const digest = createHmac('sha256', this.#key).update(text).digest('hex').slice(0, DIGITS);
    const said = `hmac:${digest}`;
    if (this.#kept.size === KEPT) this.#kept.clear();
    this.#kept.set(address, said);
    return said;
  }
}

/**
 * The /24 of an IPv4 address, also of one behind an IPv6 address, and the /48 of any other IPv6
 * address; null for what is no address, but for the word for a socket. A network, as floods name
 * them, counts as its first address.
 */
function truncated(text: string): string | null {
  if (text === SOCKET_PEER) return text;
  const address = withoutPrefix(text);
  const ipv4 = dotted(address);
  if (ipv4 !== null) return `${ipv4.slice(0, ipv4.lastIndexOf('.'))}.0/24`;
  const groups = groupsOf(address);
  if (groups === null) return null;
  const [one, two, three] = groups.map((group) => group.toString(16));
  return `${one}:${two}:${three}::/48`;
}

/** One text for each address, however it was written. */
function canonical(text: string): string | null {
  const address = withoutPrefix(text);
  const ipv4 = /^[0-9.]+$/.test(address) ? dotted(address) : null;
  if (ipv4 !== null) return ipv4;
  const groups = groupsOf(address);
  if (groups === null) return null;
  return `${groups.map((group) => group.toString(16)).join(':')}${text.slice(address.length)}`;
}

function withoutPrefix(text: string): string {
  const slash = text.indexOf('/');
  return slash === -1 ? text : text.slice(0, slash);
}

const DOTTED = /^(?:\d{1,3}\.){3}\d{1,3}$/;

function dotted(address: string): string | null {
  if (DOTTED.test(address)) return address;
  return ipv4Behind(address);
}
