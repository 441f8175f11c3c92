import type { Config } from '../config/schema.ts';
import { TrustedProxies } from '../forwarding/client-address.ts';
import type { AddressLimit } from '../limits/places.ts';

/** What one address may take on every listener, as the configuration in force has it. */
export function addressLimitOf(current: () => Config): AddressLimit {
  let config = current();
  let trusted = trustedIn(config);
  return {
    perAddress: () => current().limits.connectionsPerAddress,
    isExempt: (address) => {
      if (config !== current()) {
        config = current();
        trusted = trustedIn(config);
      }
      return trusted.includes(address);
    },
  };
}

function trustedIn({ listen }: Config): TrustedProxies {
  return new TrustedProxies(listen.proxy?.trustedProxies ?? []);
}
