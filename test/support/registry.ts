import { newRoles } from '../../src/admin/new-roles.ts';
import { type OpenStores, openStores } from '../../src/admin/stores.ts';
import { systemClock } from '../../src/clock.ts';
import type { Config } from '../../src/config/schema.ts';

/**
 * The stores of a configuration, with a registry in them: what `sallyport registry init --if-none`
 * does, without a process of its own.
 */
export async function openWithRegistry(config: Config): Promise<OpenStores> {
  const stores = await openStores(config, {
    clock: systemClock,
    create: true,
    any: true,
    note: () => {},
  });
  try {
    await stores.store.initialise(newRoles(systemClock));
    return stores;
  } catch (error) {
    await stores.close();
    throw error;
  }
}
