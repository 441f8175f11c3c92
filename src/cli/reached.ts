import type { AdminActor } from '../admin/actor.ts';
import type { Control } from '../admin/control.ts';
import type { Config } from '../config/schema.ts';

/** The options that say where the accounts are. */
export interface StoreOptions {
  readonly config?: string;
  readonly server?: string;
  readonly caFile?: string;
  /** The file whose routes count, where `config` is another one: who may look accounts up. */
  readonly routes?: string;
  /** The owner of the store makes a change without the approval that it needs. */
  readonly withoutApproval?: boolean;
}

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
  close(): Promise<void>;
}
