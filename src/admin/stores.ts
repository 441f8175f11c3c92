import type { Config } from '../config/schema.ts';
import { readRevoked } from '../registry/revoked/file.ts';
import { Revoked } from '../registry/revoked/revoked.ts';
import type { AdminContext } from './context.ts';
import type { OpenOptions, OpenStores } from './stores-port.ts';

export type { OpenStores };

/**
 * Opens the store that a configuration names. `create`: a change is about to be made, so a data
 * folder that has never held a registry gets one; a Redis never does by this. A store without
 * registry is `RegistryUnavailable` (`empty`, or `foreign` where one was served), and looking at
 * the wrong place leaves nothing behind there. Throws `StoreInUse` when another process owns an
 * embedded store.
 */
export async function openStores(config: Config, options: OpenOptions): Promise<OpenStores> {
  const stores = await openKind(config, options);
  try {
    if (options.any === true) return stores;
    const { epoch } = await stores.store.snapshot();
    return { ...stores, known: knownIn(config, epoch, options.note) };
  } catch (error) {
    await stores.close();
    throw error;
  }
}

/** Only what serves that kind of store is loaded: half of what starting a command costs. */
async function openKind(config: Config, options: OpenOptions): Promise<OpenStores> {
  const { store } = config;
  if (store.kind === 'redis')
    return (await import('./stores-redis.ts')).openRedis(config, store, options.clock);
  return (await import('./stores-embedded.ts')).openEmbedded(config, options);
}

/** What the gate of this data folder has seen, read when it is first asked for. */
function knownIn(
  { instance, store }: Config,
  epoch: string,
  note: OpenOptions['note'],
): NonNullable<AdminContext['known']> {
  let seen: Revoked | null = null;
  const read = () => {
    try {
      const found = readRevoked(instance.dataDir, store.kind);
      if (found !== null) return new Revoked({ epoch: found.at.epoch, facts: found.facts });
    } catch (error) {
      note(`what the gate of ${instance.dataDir} saw revoked cannot be read: ${String(error)}`);
    }
    return new Revoked();
  };
  return (account) => {
    if (seen === null) {
      seen = read();
      seen.begin(epoch);
    }
    return seen.known(account);
  };
}
