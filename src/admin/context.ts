import type { AuditReader } from '../audit/port.ts';
import type { Clock } from '../clock.ts';
import type { Route } from '../decision/route.ts';
import type { PublishedReader } from '../published/port.ts';
import type { RegistryStore } from '../registry/port.ts';
import type { Revocation } from '../registry/receipts/receipt.ts';
import type { ServedRegistry } from '../registry/served.ts';
import type { Timing } from '../registry/timing.ts';
import type { Tombstone } from '../registry/tombstone.ts';
import type { UsageReader } from '../stats/usage/port.ts';
import type { WebhookDesk } from '../webhooks/desk.ts';
import type { AdminActor } from './actor.ts';
import type { ApprovalRule } from './approvals/port.ts';
import type { AuditRuns } from './audit-runs.ts';
import { AdminError } from './error.ts';
import type { TrailSource } from './trail/port.ts';

/** What changes of records, and the receipts of these, ask of a store: a rehearsal has no more. */
export type ChangedStore = Pick<
  RegistryStore,
  | 'snapshot'
  | 'account'
  | 'accountByName'
  | 'referencesTo'
  | 'useCounts'
  | 'uses'
  | 'commit'
  | 'progress'
  | 'assurance'
  | 'holds'
  | 'forget'
  | 'instances'
>;

/** What every administrative function works with. */
export interface AdminContext extends ChangeContext {
  readonly store: RegistryStore;
  /**
   * The routes in force, asked at each question because they change with a reload; null, none or
   * absent: no configuration of a gate is known here.
   */
  readonly routes?: () => readonly Route[] | null;
  /** What was recorded; absent: it cannot be read here. */
  readonly audit?: AuditReader;
  /** Those that gates have published; absent: nobody publishes any here. */
  readonly published?: PublishedReader;
  /** Absent: no configuration is known. */
  readonly webhooks?: WebhookDesk;
  /** What gates have counted of who calls; null: there is nothing to read it from. */
  readonly usage?: UsageReader | null;
  /** What the record of calls says; absent: there is none here. */
  readonly trails?: TrailSource;
  /** How many calls of these accounts this instance serves now; absent: it serves none. */
  readonly underWay?: (accounts: ReadonlySet<string>) => ReadonlyMap<string, number>;
  /** Roles that people get when an identity provider lets them in; null, absent: not known. */
  readonly identityRoles?: () => readonly string[] | null;
  /** Work on the whole record; absent: none is done here. */
  readonly runs?: AuditRuns;
  /** Which registry the data folder serves; absent: there is no data folder. */
  readonly served?: ServedRegistry;
}

/** What those work with that can be rehearsed. */
export interface ChangeContext {
  readonly store: ChangedStore;
  readonly clock: Clock;
  /** Id of the instance that makes the changes; null for the command line without one. */
  readonly instance: string | null;
  readonly timing?: Timing;
  /**
   * What this instance, or its data folder, has seen of a record that may be gone by now: by the id
   * of an account, `role:NAME` or `team:NAME`.
   */
  known?(label: string): Tombstone | null;
  /** Which changes need a second administrator; absent: none does. */
  readonly approvals?: ApprovalRule;
  /** Counts of calls, for who looks before a change; absent: they are not told. */
  readonly audit?: Pick<AuditReader, 'activity'>;
  /** Told how long each revocation took to be in force everywhere, in milliseconds. */
  onRevoked?(durationMs: number): void;
}

/**
 * What a change that took something away answers besides: where it is in force. Absent from changes
 * that took nothing away.
 */
export interface Receipted {
  readonly revocation?: Revocation;
}

/**
 * How long a change waits for its receipt at most, unless the caller says otherwise; and the most
 * that a caller may say.
 */
export const RECEIPT_WAIT = { defaultMs: 5_000, mostMs: 600_000 } as const;

/** A function of administration without its context: what its callers see of it. */
export type Bound<
  Operation extends (
    context: AdminContext,
    actor: AdminActor,
    input: never,
    ...more: never[]
  ) => unknown,
> = (actor: AdminActor, input: Parameters<Operation>[2]) => ReturnType<Operation>;

/** For operations without input. */
export type Nothing = Readonly<Record<never, never>>;

/** What was recorded. Throws `AdminError` (`unavailable`) where it cannot be read. */
export function recordOf({ audit }: Pick<AdminContext, 'audit'>): AuditReader {
  if (audit === undefined)
    throw new AdminError(
      'unavailable',
      'this process has no record: ask a running gate, or name its store with --config',
    );
  return audit;
}

/** Work on the whole record. Throws `AdminError` (`unavailable`) where none is done. */
export function runsOf({ runs }: Pick<AdminContext, 'runs'>): AuditRuns {
  if (runs === undefined)
    throw new AdminError('unavailable', 'the record cannot be worked on here');
  return runs;
}
