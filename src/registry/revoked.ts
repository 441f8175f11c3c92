import type { Account } from '../account/model.ts';
import type { FeedEvent, Position, RecordChange, Tombstone } from './port.ts';
import { isRevived, rightsOf, underTombstone } from './tombstone.ts';

/** What one account has lost, as far as this instance has seen it happen. */
export interface Fact {
  readonly seq: number;
  /** Digest -> the moment from which it counts for nothing; 0 = since ever. */
  readonly digests: ReadonlyMap<string, number>;
  readonly deleted: boolean;
  readonly inactive: boolean;
  /** What it was last seen to be allowed; null: no change of it was seen. */
  readonly rights: string | null;
  /**
   * Whether the store that we read from now lacks the change that this was learned from, and
   * whether it has been told.
   */
  readonly lost: 'no' | 'untold' | 'told';
}

export const REVOKED_LIMITS = {
  /** Accounts remembered; those whose last change is longest ago go first. */
  accounts: 10_000,
  /** Digests per account, the newest. A record keeps 8. */
  digests: 16,
} as const;

/**
 * What this instance has seen revoked. It outlives every reload, because a primary that took over
 * without the last changes would otherwise bring back what they had shut out, and nobody but those
 * who saw the changes can know.
 *
 * A revoked digest and a deleted account stay so whatever a store says later: tokens are random and
 * ids are never used again. "Inactive" can be taken back by an administrator, and so can a lowering,
 * so they are held against the store only while the store does not know of them. Only a record that
 * an import was told to revive is held to nothing that was known before.
 */
export class Revoked {
  readonly #facts = new Map<string, Fact>();
  #epoch = '';
  #revision = 0;

  /** @param before what an earlier run has seen, in the registry of this epoch */
  constructor(before?: {
    readonly epoch: string;
    readonly facts: Iterable<readonly [account: string, fact: Fact]>;
  }) {
    if (before === undefined) return;
    this.#epoch = before.epoch;
    for (const [id, fact] of before.facts) this.#facts.set(id, fact);
  }

  /** Another number than before when anything that is known has changed. */
  get revision(): number {
    return this.#revision;
  }

  get facts(): readonly (readonly [account: string, fact: Fact])[] {
    return [...this.#facts];
  }

  get size(): number {
    return this.#facts.size;
  }

  /**
   * Begins with a registry. Another epoch is another registry, made by an administrator, perhaps
   * from an older export of the one before: what was known of the accounts stays so, and the store
   * is to be told.
   */
  begin(epoch: string): void {
    if (this.#epoch !== epoch) this.#revision += 1;
    if (this.#epoch !== epoch && this.#epoch !== '')
      for (const [id, fact] of this.#facts)
        this.#facts.set(id, { ...fact, seq: 0, lost: 'untold' });
    this.#epoch = epoch;
  }

  /** What an account was last seen to be, for who would bring back an earlier record of it. */
  known(id: string): Tombstone | null {
    const fact = this.#facts.get(id);
    return fact === undefined ? null : { account: id, ...heldAgainst({ ...fact, lost: 'untold' }) };
  }

  /**
   * Takes note of an event, and answers it as it is to be applied: what is known to be revoked is
   * not brought back by it.
   */
  note(event: FeedEvent): FeedEvent {
    if (!event.changes.some(({ kind }) => kind === 'account')) return event;
    return {
      ...event,
      changes: event.changes.map((change) =>
        change.kind === 'account' ? this.#noteChange(change, event.seq) : change,
      ),
    };
  }

  /** An account as read from a store, without what is known to be revoked. */
  against(account: Account): Account | null {
    const fact = this.#facts.get(account.id);
    return fact === undefined ? account : underTombstone(account, heldAgainst(fact));
  }

  /**
   * The store stands at `position`, which is not where we were: what we learned after it is to be
   * told, and what an earlier store was told. `forked`: also what came before may be lost.
   */
  lose(position: Position, forked: boolean): void {
    this.#revision += 1;
    for (const [id, fact] of this.#facts) {
      // From here on the store counts anew: whoever revives it after that knows of it.
      const seq = Math.min(fact.seq, position.seq);
      if (forked || fact.lost !== 'no' || fact.seq > position.seq)
        this.#facts.set(id, { ...fact, seq, lost: 'untold' });
    }
  }

  /** What the store is to be told. */
  lost(): readonly Tombstone[] {
    return [...this.#facts]
      .filter(([, fact]) => fact.lost === 'untold')
      .map(([account, fact]) => ({ account, ...heldAgainst(fact) }));
  }

  /** The store has been told: from now on whoever changes these accounts knows. */
  told(tombstones: readonly Tombstone[]): void {
    this.#revision += 1;
    for (const { account } of tombstones) {
      const fact = this.#facts.get(account);
      if (fact !== undefined) this.#facts.set(account, { ...fact, lost: 'told' });
    }
  }

  #noteChange(change: Extract<RecordChange, { kind: 'account' }>, seq: number): RecordChange {
    const { key, record } = change;
    const before = this.#facts.get(key);
    const known = record !== null && isRevived(record, before?.seq) ? undefined : before;
    const fact = factOf(record, seq, known);
    if (before !== undefined || fact !== null) this.#revision += 1;
    if (known === undefined) this.#facts.delete(key);
    if (fact !== null) {
      this.#facts.delete(key);
      this.#facts.set(key, fact);
      if (this.#facts.size > REVOKED_LIMITS.accounts) this.#forgetOldest();
    }
    return record === null || fact === null
      ? change
      : { ...change, record: underTombstone(record, heldAgainst(fact)) };
  }

  /** What the store has yet to be told goes last. */
  #forgetOldest(): void {
    for (const [id, { lost }] of this.#facts) {
      if (lost === 'untold') continue;
      this.#facts.delete(id);
      return;
    }
    const [oldest] = this.#facts.keys();
    if (oldest !== undefined) this.#facts.delete(oldest);
  }
}

function factOf(record: Account | null, seq: number, known: Fact | undefined): Fact | null {
  const digests = new Map(known?.digests);
  for (const digest of record?.retired.toReversed() ?? []) digests.set(digest, 0);
  const previous = record?.previous ?? null;
  if (previous !== null && digests.get(previous.digest) !== 0)
    digests.set(previous.digest, Date.parse(previous.validUntil));
  const deleted = record === null || known?.deleted === true;
  // While the store has not been told, its changes are made without knowing; afterwards they are
  // made by people who know.
  const untold = known?.lost === 'untold';
  const inactive = record?.status === 'inactive' || (untold && known.inactive);
  const rights = untold || record === null ? (known?.rights ?? null) : rightsOf(record);
  // Nothing was taken away from an account that is as it was made.
  const made = record !== null && record.updatedAt === record.createdAt;
  if (digests.size === 0 && !deleted && !inactive && known === undefined && made) return null;
  const newest = new Map([...digests].slice(-REVOKED_LIMITS.digests));
  return {
    seq: Math.max(seq, known?.seq ?? 0),
    digests: newest,
    deleted,
    inactive,
    rights,
    lost: untold ? 'untold' : 'no',
  };
}

function heldAgainst(fact: Fact): Omit<Tombstone, 'account'> {
  const { digests, deleted, inactive, rights, seq } = fact;
  const untold = fact.lost === 'untold';
  return {
    digests: Object.fromEntries(digests),
    deleted,
    inactive: inactive && untold,
    ...(untold && rights !== null ? { rights } : {}),
    seq,
  };
}
