import { randomUUID } from 'node:crypto';
import { changeEvent } from '../audit/event/change-event.ts';
import type { Clock } from '../clock.ts';
import type { ChangeRecord } from '../registry/commit.ts';
import type { RegistryStore } from '../registry/port.ts';
import { RegistryUnavailable } from '../registry/port.ts';
import { REGISTRY_ID, type ServedRegistry } from '../registry/served.ts';
import type { AdminActor } from './actor.ts';
import { AdminError, invalid } from './error.ts';
import { newRoles } from './folder-registry.ts';
import { type Verification, verifyRegistry } from './verify.ts';

export interface MadeRegistry {
  readonly id: string;
  /** Which registry the data folder has served, where that is another one; `unknown` = some one. */
  readonly servedBefore: string | null;
}

export interface AdoptedRegistry {
  readonly id: string;
  readonly servedBefore: string | null;
  /** Null: it is on record. Else why it is not, although it is done. */
  readonly notRecorded: string | null;
}

/**
 * What is done to a registry as a whole. All are acts of an operator beside the data folder: no
 * door over the network has them.
 */
export interface RegistryKeeper {
  /** The id of the registry that the store holds, whether or not it is served; null = none. */
  identify(actor: AdminActor): Promise<string | null>;
  /**
   * Makes a registry in a store that holds none. Throws `name-taken` where there is one. A folder
   * that has served another one does not serve it before it is adopted.
   */
  init(actor: AdminActor): Promise<MadeRegistry>;
  /**
   * From now on the data folder serves the registry that the store holds, which must be this one.
   * It is recorded where the registry can be written: what ends an outage does not hang on that.
   */
  adopt(actor: AdminActor, input: { readonly id: string }): Promise<AdoptedRegistry>;
  /** Compares everything that the registry keeps with everything else, and changes nothing. */
  verify(actor: AdminActor): Promise<Verification>;
}

export interface KeeperOptions {
  readonly store: RegistryStore;
  readonly clock: Clock;
  readonly served: ServedRegistry;
  /** Id of the instance that acts; null for the command line without one. */
  readonly instance: string | null;
}

export function createRegistryKeeper(options: KeeperOptions): RegistryKeeper {
  const { store, clock, served } = options;
  const holding = () => answered(() => store.identify());
  return {
    async identify(actor) {
      mustOwnStore(actor);
      return holding();
    },
    async init(actor) {
      mustOwnStore(actor);
      const servedBefore = served.held ? (served.id ?? 'unknown') : null;
      const recorded = (id: string) => recordOf(options, actor, 'registry-made', id, null);
      const made = await answered(() => store.initialise(newRoles(clock), recorded));
      const id = await holding();
      if (!made || id === null)
        throw new AdminError(
          'name-taken',
          `the store holds a registry already${id === null ? '' : `, ${id}`}: nothing was changed`,
        );
      if (servedBefore === null) await answered(() => store.snapshot());
      return { id, servedBefore };
    },
    async adopt(actor, input) {
      mustOwnStore(actor);
      const { id } = input;
      if (typeof id !== 'string' || !REGISTRY_ID.test(id))
        throw invalid([{ field: 'id', message: 'must be the id of a registry, a UUID' }]);
      const found = await holding();
      if (found !== id)
        throw new AdminError(
          'not-found',
          found === null
            ? 'the store holds no registry: nothing was changed'
            : `the store holds the registry ${found}, not ${id}: nothing was changed`,
        );
      const servedBefore = served.id === id ? null : served.id;
      served.adopt(id);
      const record = recordOf(options, actor, 'registry-adopted', id, servedBefore);
      return { id, servedBefore, notRecorded: await whyNotRecorded(store, record) };
    },
    async verify(actor) {
      mustOwnStore(actor);
      return answered(() => verifyRegistry(store));
    },
  };
}

function recordOf(
  { clock, instance }: KeeperOptions,
  { id: actorId, name, kind, via }: AdminActor,
  type: 'registry-made' | 'registry-adopted',
  id: string,
  servedBefore: string | null,
): ChangeRecord {
  const event = changeEvent({
    ...{ id: randomUUID(), timeMs: clock.wallMs(), type, instance },
    actor: { id: actorId, name, kind, via },
    target: { kind: 'registry', id, name: id },
    before: servedBefore === null ? null : { registry: servedBefore },
    after: { registry: id },
    ...{ requestId: null, clientAddress: null },
  });
  return { event, accounts: [] };
}

/** A change of its own, of no record: all of it is its event. */
async function whyNotRecorded(store: RegistryStore, audit: ChangeRecord): Promise<string | null> {
  const nothing = { expects: [], changes: [], unreferenced: [] };
  const claims = { take: [], drop: [] };
  try {
    const commit = { ...nothing, claims, references: { add: [], remove: [] }, audit };
    const result = await store.commit(commit);
    return result.committed ? null : `others are changing it (${result.conflict})`;
  } catch (error) {
    if (!(error instanceof RegistryUnavailable)) throw error;
    return error.message;
  }
}

async function answered<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof RegistryUnavailable)) throw error;
    throw new AdminError('unavailable', `the store cannot be used: ${error.message}`, {
      cause: error,
    });
  }
}

function mustOwnStore(actor: AdminActor): void {
  if (actor.permissions !== 'store-owner')
    throw new AdminError(
      'forbidden',
      'this needs access to the store itself: run it there, with --config',
    );
}
