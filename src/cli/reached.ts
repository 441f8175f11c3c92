import type { AdminActor } from '../admin/actor.ts';
import type { Control } from '../admin/control.ts';
import type { Config } from '../config/schema.ts';
import type { Place } from './place/place.ts';

export type { StoreOptions } from './place/place.ts';

/**
 * `true`: a change is about to be made, so a data folder that has never held a registry gets one;
 * `any`: what is asked is about the registry itself, which need not be there.
 */
export type Purpose = boolean | 'any';

/** How a command that shows first what it would do goes about. */
export interface AskedOptions {
  readonly yes?: boolean;
  readonly json?: boolean;
  readonly dryRun?: boolean;
  /** Nothing is changed: days of recorded calls that the change is held against. */
  readonly replay?: number;
  question?: string;
}

/** Something to ask, and who asks. */
export interface Reached {
  readonly control: Control;
  readonly actor: AdminActor;
  /** Null when there is a store and no configuration. */
  readonly config: Config | null;
  readonly place: Place;
  /** The token by which a server is asked; null where a store is. */
  readonly token: string | null;
  close(): Promise<void>;
}
