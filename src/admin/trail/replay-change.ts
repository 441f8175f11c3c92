import type { Account } from '../../account/model.ts';
import { Policy } from '../../account/policy.ts';
import { type AdminActor, mustBeThere, mustHave } from '../actor.ts';
import type { BulkAnswer } from '../bulk.ts';
import { reading } from '../change.ts';
import type { AdminContext, ChangeContext } from '../context.ts';
import { AdminError } from '../error.ts';
import { type Rehearsed, rehearsalOf } from '../rehearsal.ts';
import type { TrailQuery, TrailWindow } from './port.ts';
import { type ReplayResult, replay } from './replay.ts';
import { routesByName } from './routes.ts';

const REPLAY_DAYS = 7;

export interface ReplayInput extends Partial<TrailQuery> {
  /** Name of an operation whose row says that it can be replayed, such as `editRole`. */
  readonly operation: string;
  /** What that operation takes. */
  readonly input: Readonly<Record<string, unknown>>;
}

export interface RefusedOne {
  readonly id: string;
  /** Null: there is no such account. */
  readonly name: string | null;
  readonly why: string;
}

export interface Replay extends ReplayResult {
  readonly window: TrailWindow;
  /** False: nothing is known here of the routes, and each record counts as it reads. */
  readonly routesKnown: boolean;
  /** Accounts that a change of many would leave as they are, and why. */
  readonly refused: readonly RefusedOne[];
  /** Goes on where this answer ended, and answers for all of it; null: that was all. */
  readonly next: string | null;
}

/** The operations, on another store. */
export type ReplayedOn = (
  context: ChangeContext,
) => Readonly<Record<string, (actor: AdminActor, input: never) => Promise<unknown>>>;

/**
 * What a change would have done to the calls of the last days, had it been in force: it is made on
 * a rehearsal of the registry by the operation that makes it in earnest, with the rights of the
 * actor, and every recorded call is judged by the registry before it and after it. Changes nothing.
 * Throws what the change itself would throw.
 */
export async function replayChange(
  context: AdminContext,
  actor: AdminActor,
  { operation, input, days = REPLAY_DAYS, cursor = null }: ReplayInput,
  on: ReplayedOn,
): Promise<Replay> {
  mustHave(actor, 'sallyport:activity:read');
  const { store, clock, instance, trails } = context;
  if (trails === undefined)
    throw new AdminError('unavailable', 'this process has no record of calls: ask a running gate');
  const made: Rehearsed[] = [];
  const rehearsal = rehearsalOf(store, (one) => void made.push(one));
  const before = await reading(() => rehearsal.snapshot());
  const how = operation === 'changeAccounts' ? { preview: false } : {};
  const asked = { ...input, ...how } as never;
  const answer = await on({ store: rehearsal, clock, instance })[operation]!(actor, asked);
  mustBeWhole(answer);
  const refused = operation === 'changeAccounts' ? refusedIn(answer as BulkAnswer) : [];
  const after = await rehearsal.snapshot();
  const { fold, window, next } = await trails.read({ days, cursor }, actor);
  const routes = await routesByName(context);
  const compared = {
    store,
    before: Policy.of(before.roles, before.teams),
    after: Policy.of(after.roles, after.teams),
    changed: changedBy(made),
    routes,
    nowMs: clock.wallMs(),
  };
  const result = await replay(fold, compared, () => mustBeThere(actor));
  return { window, ...result, routesKnown: routes !== null, refused, next };
}

function refusedIn({ items }: BulkAnswer): readonly RefusedOne[] {
  return items.flatMap(({ id, name, outcome, why }) =>
    outcome === 'refused' ? [{ id, name, why: why ?? 'refused' }] : [],
  );
}

/** Of a plan of which a part could not be made. */
function mustBeWhole(answer: unknown): void {
  const { fault = null } = Object(answer) as { readonly fault?: AdminError | null };
  if (fault !== null) throw new AdminError(fault.code, fault.message);
}

/** Accounts as they are after all of these; null: deleted. */
function changedBy(made: readonly Rehearsed[]): ReadonlyMap<string, Account | null> {
  const changed = new Map<string, Account | null>();
  for (const { commit } of made)
    for (const change of commit.changes)
      if (change.kind === 'account') changed.set(change.key, change.record);
  return changed;
}
