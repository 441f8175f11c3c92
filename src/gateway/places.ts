import type { Config } from '../config/schema.ts';
import { TrustedProxies } from '../http/client-address.ts';
import type { AddressLimit } from '../limits/places.ts';

/** Connections of all proxies and programs that ask for decisions, in each process. */
export const DECISION_PLACES = 1024;

/** What one address may take on every listener, as the configuration in force has it. */
export function addressLimitOf(current: () => Config): AddressLimit {
  return {
    perAddress: () => current().limits.connectionsPerAddress,
    isExempt: listedIn(current, ({ listen }) => listen.proxy?.trustedProxies ?? []),
  };
}

/**
 * The part of one of several workers on one port: each counts for itself, and together they hold no
 * more than the limit.
 */
export function partOf(limit: AddressLimit, workers: number): AddressLimit {
  return { ...limit, perAddress: () => Math.max(1, Math.floor(limit.perAddress() / workers)) };
}

/** Whose connections begin with the PROXY protocol, as the configuration in force has it. */
export function prefacesOf(current: () => Config): (address: string) => boolean {
  return listedIn(current, ({ listen }) => listen.proxy?.proxyProtocol.peers ?? []);
}

/** Who may ask for decisions, as the configuration in force has it. */
export function decisionPeersOf(current: () => Config): (address: string) => boolean {
  return listedIn(current, ({ listen }) => listen.decision?.peers ?? []);
}

function listedIn(
  current: () => Config,
  networksOf: (config: Config) => readonly string[],
): (address: string) => boolean {
  let config = current();
  let list = new TrustedProxies(networksOf(config));
  return (address) => {
    if (config !== current()) {
      config = current();
      list = new TrustedProxies(networksOf(config));
    }
    return list.includes(address);
  };
}
