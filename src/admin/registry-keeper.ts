import { randomUUID } from 'node:crypto';
import { changeEvent } from '../audit/event/change-event.ts';
import type { ChangeRecord } from '../registry/commit.ts';
import type { RegistryStore } from '../registry/port.ts';
import { RegistryUnavailable } from '../registry/port.ts';
import type { ServedRegistry } from '../registry/served.ts';
import type { AdminActor } from './actor.ts';
import type { AdminContext } from './context.ts';
import { AdminError } from './error.ts';
import { newRoles } from './new-roles.ts';
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

/** What is done to a registry as a whole is done by an operator beside the data folder. */
type KeptContext = Pick<AdminContext, 'store' | 'clock' | 'instance' | 'served'>;

/** The id of the registry that the store holds, whether or not it is served; null = none. */
export async function identifyRegistry({ store }: KeptContext): Promise<string | null> {
  return answered(() => store.identify());
}

/**
 * Makes a registry in a store that holds none. Throws `name-taken` where there is one. A folder
 * that has served another one does not serve it before it is adopted.
 */
export async function makeRegistry(context: KeptContext, actor: AdminActor): Promise<MadeRegistry> {
  const { store, clock } = context;
  const served = servedBy(context);
  const servedBefore = served.held ? (served.id ?? 'unknown') : null;
  const recorded = (id: string) => eventOf(context, actor, 'registry-made', id, null);
  const made = await answered(() => store.initialise(newRoles(clock), recorded));
  const id = await identifyRegistry(context);
  if (!made || id === null)
    throw new AdminError(
      'name-taken',
      `the store holds a registry already${id === null ? '' : `, ${id}`}: nothing was changed`,
    );
  if (servedBefore === null) await answered(() => store.snapshot());
  return { id, servedBefore };
}

/**
 * From now on the data folder serves the registry that the store holds, which must be this one. It
 * is recorded where the registry can be written: what ends an outage does not hang on that.
 */
export async function adoptRegistry(
  context: KeptContext,
  actor: AdminActor,
  { id }: { readonly id: string },
): Promise<AdoptedRegistry> {
  const served = servedBy(context);
  const found = await identifyRegistry(context);
  if (found !== id)
    throw new AdminError(
      'not-found',
      found === null
        ? 'the store holds no registry: nothing was changed'
        : `the store holds the registry ${found}, not ${id}: nothing was changed`,
    );
  const servedBefore = served.id === id ? null : served.id;
  served.adopt(id);
  const record = eventOf(context, actor, 'registry-adopted', id, servedBefore);
  return { id, servedBefore, notRecorded: await whyNotRecorded(context.store, record) };
}

/** Compares everything that the registry keeps with everything else, and changes nothing. */
export async function verifyWhole({ store }: KeptContext): Promise<Verification> {
  return answered(() => verifyRegistry(store));
}

function servedBy({ served }: KeptContext): ServedRegistry {
  if (served === undefined)
    throw new AdminError('unavailable', 'there is no data folder here that could serve a registry');
  return served;
}

function eventOf(
  { clock, instance }: KeptContext,
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
