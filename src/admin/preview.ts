import type { Account } from '../account/model.ts';
import type { AuditReader } from '../audit/port.ts';
import { turn } from '../turns.ts';
import { type AdminActor, mustBeThere } from './actor.ts';
import { changesOf, type Rehearsal, rehearse } from './approvals/rehearse.ts';
import { concernOf } from './approvals/rule.ts';
import type { WaitingChange } from './approvals/waiting.ts';
import { reading } from './change.ts';
import type { AdminContext } from './context.ts';
import { isLetIn, lossesOf } from './losses.ts';
import { Records } from './records.ts';

/** What a change would do, told before it is made. */

export interface PreviewInput {
  /** Name of an operation whose row says that it is previewed, such as `editRole`. */
  readonly operation: string;
  /** As that operation takes it. */
  readonly input: Readonly<Record<string, unknown>>;
}

/** Somebody who loses by it, or who would be deleted or shut out. */
export interface Loser {
  readonly id: string;
  readonly name: string;
  readonly kind: Account['kind'];
  /** In words, 13 lines at most. */
  readonly loses: readonly string[];
  /** When one of its tokens was last let in; null: never, as far as is known, or a person. */
  readonly lastUsedAt: string | null;
  /** Calls of the last 24 hours; null: not looked up. */
  readonly calls: { readonly count: number; readonly isMore: boolean } | null;
  /**
   * Calls that the instance which answers is serving, streams and tunnels among them; other
   * instances are not asked. Null: not looked up, or a command line answers.
   */
  readonly underWay: number | null;
}

export interface ChangePreview {
  readonly changes: readonly WaitingChange[];
  /** Protected roles that it concerns: it waits for a second administrator. */
  readonly approval: readonly string[];
  /** Those of the accounts that were looked at, most calls first, at most 50. */
  readonly losers: readonly Loser[];
  /** How many they are, with those beyond the 50. */
  readonly losing: number;
  /** Accounts that it concerns, and how many of them were looked at. */
  readonly accounts: number;
  readonly examined: number;
  /** Applications of teams in which nobody is let in any more. */
  readonly abandoned: readonly string[];
}

/** What is looked at: the rest is counted. */
const LIMITS = { examined: 500, losers: 50, withCalls: 20, calls: 500, members: 200 } as const;
const AT_ONCE = 25;
const DAY_MS = 24 * 60 * 60 * 1000;

type OperationsOn = (
  context: AdminContext,
) => Readonly<Record<string, (actor: AdminActor, input: never) => Promise<unknown>>>;

/**
 * Carries an operation out on a rehearsal of the registry, with the rights of the actor, and tells
 * what would come of it. Throws what the operation would throw. Nothing is changed.
 */
export async function previewChange(
  context: AdminContext,
  actor: AdminActor,
  { operation, input }: PreviewInput,
  on: OperationsOn,
): Promise<ChangePreview> {
  const rehearsal = await rehearse(context, actor, (rehearsed, who) =>
    on(rehearsed)[operation]!(who, input as never),
  );
  return previewOf(context, actor, rehearsal);
}

async function previewOf(
  context: AdminContext,
  actor: AdminActor,
  rehearsal: Rehearsal,
): Promise<ChangePreview> {
  const { store, clock, approvals } = context;
  const before = await reading(() => Records.read(store));
  const after = recordsAfter(before, rehearsal);
  const concerned = await reading(() => concernedBy(context, rehearsal));
  const named = approvals?.roles() ?? [];
  const { commit } = rehearsal;
  const { roles } =
    commit === null ? { roles: [] } : await reading(() => concernOf(store, commit, named));
  const losers: Loser[] = [];
  for (const [index, [was, is]] of concerned.accounts.entries()) {
    if (index % AT_ONCE === 0) await turn();
    mustBeThere(actor);
    const between = { before, after: isSamePolicy(rehearsal) ? before : after };
    const loses = [...lossesOf(was, is, between, clock.wallMs()), ...tokenLoss(was, is)];
    const { id, name, kind } = was;
    if (loses.length > 0) losers.push({ id, name, kind, loses, ...UNKNOWN });
  }
  return {
    changes: changesOf(rehearsal),
    approval: roles,
    losers: await withUse(context, actor, losers),
    losing: losers.length,
    accounts: concerned.count,
    examined: concerned.accounts.length,
    abandoned: await reading(() => abandonedBy(context, rehearsal, after)),
  };
}

const UNKNOWN = { lastUsedAt: null, calls: null, underWay: null } as const;

/** A new token that leaves the former one no time. */
function tokenLoss(was: Account, is: Account | null): readonly string[] {
  const had = was.token?.digest;
  const keeps = [is?.token?.digest, is?.previous?.digest];
  return is === null || had === undefined || keeps.includes(had)
    ? []
    : ['its present token: it is refused at once'];
}

function isSamePolicy({ edits }: Rehearsal): boolean {
  return edits.every(({ kind }) => kind === 'account');
}

function recordsAfter(before: Records, { edits }: Rehearsal): Records {
  const [roles, teams] = [new Map(before.roles), new Map(before.teams)];
  for (const edit of edits) {
    const list = edit.kind === 'role' ? roles : teams;
    if (edit.kind === 'account') continue;
    if (edit.after === null) list.delete(edit.key);
    else list.set(edit.key, edit.after as never);
  }
  return new Records({ roles: [...roles.values()], teams: [...teams.values()] });
}

/** Accounts as they are and would be: those that are changed, and who has what is changed. */
async function concernedBy(
  { store }: AdminContext,
  { edits }: Rehearsal,
): Promise<{
  readonly count: number;
  readonly accounts: readonly (readonly [Account, Account | null])[];
}> {
  const changed = new Map<string, readonly [Account, Account | null]>();
  const users = new Set<string>();
  let count = 0;
  for (const edit of edits) {
    if (edit.before === null) continue;
    if (edit.kind === 'account') {
      changed.set(edit.key, [edit.before, edit.after]);
      continue;
    }
    const target = `${edit.kind}:${edit.key}`;
    const found = await store.referencesTo(target, LIMITS.examined);
    for (const user of found) users.add(user.slice(user.indexOf(':') + 1));
    const [all = 0] = await store.useCounts([target]);
    count += Math.max(0, all - found.length);
  }
  const others = [...users].filter((id) => !changed.has(id));
  const examined = others.slice(0, Math.max(0, LIMITS.examined - changed.size));
  const accounts = [...changed.values()].slice(0, LIMITS.examined);
  for (let start = 0; start < examined.length; start += AT_ONCE) {
    await turn();
    const read = await Promise.all(
      examined.slice(start, start + AT_ONCE).map(async (id) => (await store.account(id)).account),
    );
    for (const account of read) if (account !== null) accounts.push([account, account]);
  }
  return { count: count + changed.size + others.length, accounts };
}

function byLastUse(one: Loser, other: Loser): number {
  const [a, b] = [one.lastUsedAt ?? '', other.lastUsedAt ?? ''];
  return a === b ? 0 : a < b ? 1 : -1;
}

/** With last uses, and calls where the actor may see them; most calls first. */
async function withUse(
  context: AdminContext,
  actor: AdminActor,
  losers: readonly Loser[],
): Promise<readonly Loser[]> {
  const { store, audit } = context;
  const maySee =
    actor.permissions === 'store-owner' || actor.permissions.allows('sallyport:activity:read');
  const withLastUse = async (loser: Loser): Promise<Loser> => {
    const uses = loser.kind === 'service' ? await reading(() => store.uses(loser.id)) : [];
    const lastMs = Math.max(0, ...uses.map(({ timeMs }) => timeMs));
    return { ...loser, lastUsedAt: lastMs === 0 ? null : new Date(lastMs).toISOString() };
  };
  const used: Loser[] = [];
  for (let start = 0; start < losers.length; start += AT_ONCE) {
    await turn();
    used.push(...(await Promise.all(losers.slice(start, start + AT_ONCE).map(withLastUse))));
  }
  // Of more than can be shown, those who were there last; of those who never were, the first.
  const latest = used.sort(byLastUse).slice(0, LIMITS.losers);
  if (!maySee || audit === undefined) return latest;
  const sinceMs = context.clock.wallMs() - DAY_MS;
  const underWay = context.underWay?.(new Set(latest.map(({ id }) => id)));
  const told: Loser[] = [];
  for (const [index, loser] of latest.entries()) {
    mustBeThere(actor);
    const isAsked = index < LIMITS.withCalls && loser.kind === 'service';
    told.push({
      ...loser,
      calls: isAsked ? await callsSince(audit, loser.id, sinceMs) : null,
      underWay: underWay === undefined ? null : (underWay.get(loser.id) ?? 0),
    });
  }
  return told.sort((a, b) => (b.calls?.count ?? 0) - (a.calls?.count ?? 0));
}

/** Null: the record does not answer now. */
async function callsSince(
  audit: Pick<AuditReader, 'activity'>,
  account: string,
  sinceMs: number,
): Promise<Loser['calls']> {
  const page = await audit
    .activity({ account, before: null, limit: LIMITS.calls })
    .catch(() => null);
  if (page === null) return null;
  await turn();
  const count = page.events.filter((line) => isCallSince(line, sinceMs)).length;
  return {
    count,
    isMore: count === LIMITS.calls || (page.next !== null && isAllSince(page.events, sinceMs)),
  };
}

function isCallSince(line: string, sinceMs: number): boolean {
  const { type, phase, time } = JSON.parse(line) as Readonly<Record<string, string>>;
  return type === 'call' && phase === 'decision' && Date.parse(time ?? '') >= sinceMs;
}

function isAllSince(events: readonly string[], sinceMs: number): boolean {
  const oldest = events.at(-1);
  if (oldest === undefined) return false;
  return Date.parse((JSON.parse(oldest) as { time?: string }).time ?? '') >= sinceMs;
}

/**
 * Applications of teams that had somebody who is let in and has none any more. Whoever may by their
 * default role is not counted: they are let in everywhere.
 */
async function abandonedBy(
  { store, clock }: AdminContext,
  { edits }: Rehearsal,
  after: Records,
): Promise<readonly string[]> {
  const nowMs = clock.wallMs();
  const accounts = new Map(
    edits.flatMap((edit) => (edit.kind === 'account' ? [[edit.key, edit.after] as const] : [])),
  );
  const left = edits.flatMap((edit) =>
    edit.kind === 'account' && edit.before !== null && isLetIn(edit.before, nowMs)
      ? edit.before.teams.map(({ team }) => team)
      : [],
  );
  const abandoned: string[] = [];
  for (const team of new Set(left)) {
    const users = await store.referencesTo(`team:${team}`, LIMITS.members);
    // One of so many is let in, or nobody looks them all up.
    if (users.length === LIMITS.members) continue;
    const ids = users.map((user) => user.slice(user.indexOf(':') + 1));
    const now = await Promise.all(
      ids.map(async (id) =>
        accounts.has(id) ? accounts.get(id) : (await store.account(id)).account,
      ),
    );
    const isIn = (account: Account | null | undefined) =>
      account?.teams.some((one) => one.team === team) === true && isLetIn(account, nowMs);
    if (!now.some(isIn)) abandoned.push(...(after.teams.get(team)?.applications ?? []));
  }
  return abandoned.sort();
}
