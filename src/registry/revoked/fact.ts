import type { Account } from '../../account/model.ts';
import type { RecordChange } from '../commit.ts';
import type { AccountTombstone, PolicyLabel, PolicyTombstone, Tombstone } from '../tombstone.ts';
import { contentOf, type PolicyChange, underPolicyTombstone } from './policy-tombstone.ts';
import { rightsOf, underTombstone } from './tombstone.ts';

/** What one record was last seen to be, as far as this instance has seen it change. */
export type Fact = AccountFact | PolicyFact;

interface Seen {
  readonly seq: number;
  /**
   * Whether the store that we read from now lacks the change that this was learned from, and
   * whether it has been told (or holds nothing that it would have to be told against).
   */
  readonly lost: 'no' | 'untold' | 'told';
}

/** What an account has lost. */
export interface AccountFact extends Seen {
  /** Digest -> the moment from which it counts for nothing; 0 = since ever. */
  readonly digests: ReadonlyMap<string, number>;
  readonly deleted: boolean;
  readonly inactive: boolean;
  /** What it was last seen to be allowed; null: no change of it was seen. */
  readonly rights: string | null;
}

/** Permissions of a role or applications of a team, as in `PolicyTombstone`. */
export interface PolicyFact extends Seen {
  readonly seen: PolicyTombstone['seen'];
}

/** What is seen of one role or team while the store knows less; past it, nothing of it counts. */
const SEEN_KEPT = 16;

/** Digests that are remembered of an account, the newest. A record keeps 8. */
export const DIGESTS_KEPT = 16;

/** What facts are kept by: the id of an account, or `role:NAME`, `team:NAME`. */
export function labelOf({ kind, key }: Pick<RecordChange, 'kind' | 'key'>): string {
  return kind === 'account' ? key : `${kind}:${key}`;
}

/**
 * What a change teaches, with what was known before it. Null: nothing. While the store has not been
 * told, its changes are made without knowing; afterwards they are made by people who know.
 */
export function factOf(change: RecordChange, seq: number, known: Fact | undefined): Fact | null {
  if (change.kind === 'account')
    return accountFact(change.record, seq, known as AccountFact | undefined);
  return policyFact(change, seq, known as PolicyFact | undefined);
}

function policyFact({ record }: PolicyChange, seq: number, known: PolicyFact | undefined): Fact {
  const content = contentOf(record);
  if (known?.lost !== 'untold')
    return { seq: Math.max(seq, known?.seq ?? 0), seen: [content], lost: 'no' };
  // A later change may be lost in its turn. What came before was seen to end.
  const isNew = seq > known.seq && !known.seen.some((one) => one.join() === content.join());
  if (!isNew || known.seen.length > SEEN_KEPT) return { ...known, seq: Math.max(seq, known.seq) };
  const last = known.seen.length < SEEN_KEPT ? content : [];
  return { seq, seen: [...known.seen, last], lost: 'untold' };
}

function accountFact(
  record: Account | null,
  seq: number,
  known: AccountFact | undefined,
): Fact | null {
  const digests = new Map(known?.digests);
  for (const digest of record?.retired.toReversed() ?? []) digests.set(digest, 0);
  const previous = record?.previous ?? null;
  if (previous !== null && digests.get(previous.digest) !== 0)
    digests.set(previous.digest, Date.parse(previous.validUntil));
  const deleted = record === null || known?.deleted === true;
  const untold = known?.lost === 'untold';
  const inactive = record?.status === 'inactive' || (untold && known.inactive);
  const rights = rightsAfter(record, seq, known);
  // Nothing was taken away from an account that is as it was made.
  const made = record !== null && record.updatedAt === record.createdAt;
  if (digests.size === 0 && !deleted && !inactive && known === undefined && made) return null;
  return {
    seq: Math.max(seq, known?.seq ?? 0),
    digests: new Map([...digests].slice(-DIGESTS_KEPT)),
    deleted,
    inactive,
    rights,
    lost: untold ? 'untold' : 'no',
  };
}

/** As in `AccountTombstone`; null: nothing was seen. */
function rightsAfter(
  record: Account | null,
  seq: number,
  known: AccountFact | undefined,
): string | null {
  const before = known?.rights ?? null;
  if (record === null) return before;
  const now = rightsOf(record);
  if (known?.lost !== 'untold') return now;
  // A later change may be lost in its turn, and then the one before it must not count again.
  return before !== null && seq > known.seq && now !== before ? '*' : before;
}

/**
 * What a store is to be told. `whole`: also what stands only until somebody who saw it decides
 * otherwise, as if the store knew nothing.
 */
export function tombstoneOf(label: string, fact: Fact, whole = false): Tombstone {
  return 'seen' in fact
    ? { policy: label as PolicyLabel, seen: fact.seen, seq: fact.seq }
    : { account: label, ...accountHeld(fact, whole) };
}

/** The change as it is to be applied: what is known of the record is not brought back by it. */
export function changeUnder(change: RecordChange, fact: Fact): RecordChange {
  const { record } = change;
  if (record === null) return change;
  return { ...change, record: recordUnder(record, fact) } as RecordChange;
}

/** Null: it is deleted. */
export function recordUnder<T extends NonNullable<RecordChange['record']>>(
  record: T,
  fact: Fact,
): T | null {
  if (!('seen' in fact)) return underTombstone(record as Account, accountHeld(fact)) as T | null;
  const held = policyHeld(fact);
  return held === undefined ? record : (underPolicyTombstone(record as never, held) as T);
}

function accountHeld(fact: AccountFact, whole = false): Omit<AccountTombstone, 'account'> {
  const { digests, deleted, inactive, rights, seq } = fact;
  const untold = whole || fact.lost === 'untold';
  return {
    digests: Object.fromEntries(digests),
    deleted,
    inactive: inactive && untold,
    ...(untold && rights !== null ? { rights } : {}),
    seq,
  };
}

/** Names are used again, so nothing is held against a store that knows. */
export function policyHeld(fact: Fact | undefined): Omit<PolicyTombstone, 'policy'> | undefined {
  if (fact === undefined || !('seen' in fact) || fact.lost !== 'untold') return undefined;
  return { seen: fact.seen, seq: fact.seq };
}
