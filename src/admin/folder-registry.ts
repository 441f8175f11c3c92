import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { openEmbeddedRegistry } from '../registry/embedded/registry.ts';
import type { RegistryStore } from '../registry/port.ts';
import { ServedRegistry } from '../registry/served.ts';
import { EMBEDDED_FILES } from './embedded-files.ts';
import { newRoles } from './new-roles.ts';

/** An embedded registry, and what its folder remembers of it. */
export interface FolderRegistry {
  readonly store: RegistryStore;
  readonly served: ServedRegistry;
}

/**
 * Opens the registry of a data folder. A folder that has never held one gets it now if `begin` is
 * set; in one that has, a registry that is gone is `foreign`, at each question. Throws
 * `StoreInUse`, `RegistryUnavailable`.
 */
export async function openFolderRegistry(
  dataDir: string,
  clock: Clock,
  begin: boolean,
): Promise<FolderRegistry> {
  const served = servedIn(dataDir);
  const store = openEmbeddedRegistry(join(dataDir, EMBEDDED_FILES.registry), served);
  try {
    if (begin && !served.held) await store.initialise(newRoles(clock));
    return { store, served };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** To be asked before anything is opened: opening makes files. */
export function servedIn(dataDir: string): ServedRegistry {
  return new ServedRegistry({
    folder: dataDir,
    store: 'embedded',
    remembers: true,
    held: holdsRemains(dataDir),
  });
}

/**
 * What is opened only after a registry: where one of these is and no registry, it was there and is
 * gone, also in a folder that an earlier version kept without a marker.
 */
function holdsRemains(dataDir: string): boolean {
  const { registry: _, ...others } = EMBEDDED_FILES;
  return Object.values(others).some((name) => existsSync(join(dataDir, name)));
}
