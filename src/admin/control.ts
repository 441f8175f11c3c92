import type { AuditReader } from '../audit/port.ts';
import type { ServedRegistry } from '../registry/served.ts';
import { type ActivityQuery, type Followed, followActivity } from './activity.ts';
import type { AdminActor } from './actor.ts';
import { type Administration, createAdministration } from './administration.ts';
import type { AuditReindexing, AuditRuns, AuditVerifications } from './audit-runs.ts';
import type { AdminContext } from './context.ts';
import { createReindexing } from './reindexing.ts';
import { createTrails } from './trail/trails.ts';
import { createVerifications } from './verifications.ts';

/**
 * All that can be asked and done from outside the gate's own work: by the command line, and by
 * whoever serves it to others. What is answered at once is an operation of administration; besides
 * there is what is told bit by bit.
 */
export interface Control {
  readonly administration: Administration;
  follow(actor: AdminActor, query: ActivityQuery, signal: AbortSignal): AsyncGenerator<Followed>;
  readonly verification: Pick<AuditVerifications, 'run' | 'follow'>;
  readonly reindexing: Pick<AuditReindexing, 'run'>;
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
  const runs: AuditRuns = {
    verification: createVerifications({ ...options, record: options.audit.record }),
    reindexing: createReindexing(options),
  };
  const context: AdminContext = { ...options, trails: createTrails(options), runs };
  return {
    administration: createAdministration(context),
    follow: (actor, query, signal) => followActivity(options, actor, query, signal),
    ...runs,
  };
}
