import type { AuditReader } from '../audit/port.ts';
import type { ServedRegistry } from '../registry/served.ts';
import { type ActivityQuery, type Followed, followActivity, readActivity } from './activity.ts';
import { type ActivityPage, type ActivityPageQuery, pageActivity } from './activity-page.ts';
import type { AdminActor } from './actor.ts';
import { type Administration, createAdministration } from './administration.ts';
import type { AdminContext } from './context.ts';
import { createRegistryKeeper, type RegistryKeeper } from './registry-keeper.ts';
import { type AuditReindexing, createReindexing } from './reindexing.ts';
import { createTrails } from './trail/trails.ts';
import { type AuditVerifications, createVerifications } from './verifications.ts';

/**
 * All that can be asked and done from outside the gate's own work: by the command line, and by
 * whoever serves it to others.
 */
export interface Control {
  readonly administration: Administration;
  activity(actor: AdminActor, query: ActivityQuery): Promise<readonly string[]>;
  /** The same by pages, newest first. */
  activityPage(actor: AdminActor, query: ActivityPageQuery): Promise<ActivityPage>;
  follow(actor: AdminActor, query: ActivityQuery, signal: AbortSignal): AsyncGenerator<Followed>;
  readonly verification: AuditVerifications;
  readonly reindexing: AuditReindexing;
  readonly registry: RegistryKeeper;
}

export interface ControlOptions extends AdminContext {
  readonly audit: AuditReader;
  readonly served: ServedRegistry;
  readonly routes: NonNullable<AdminContext['routes']>;
  /** Ends what is under way in the background. */
  readonly ending?: AbortSignal;
  /** Told of faults of what is under way in the background. */
  readonly onFault?: (fault: unknown) => void;
}

/** Owns nothing: who opened store and reader closes them. */
export function createControl(options: ControlOptions): Control {
  return {
    administration: createAdministration({ ...options, trails: createTrails(options) }),
    activity: (actor, query) => readActivity(options, actor, query),
    activityPage: (actor, query) => pageActivity(options, actor, query),
    follow: (actor, query, signal) => followActivity(options, actor, query, signal),
    verification: createVerifications({ ...options, record: options.audit.record }),
    reindexing: createReindexing(options),
    registry: createRegistryKeeper(options),
  };
}
