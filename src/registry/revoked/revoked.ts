import type { Account, Role, Team } from '../../account/model.ts';
import type { RecordChange } from '../commit.ts';
import type { FeedEvent, PolicySnapshot } from '../port.ts';
import type { Position } from '../position.ts';
import type { Tombstone } from '../tombstone.ts';
import {
  changeUnder,
  DIGESTS_KEPT,
  type Fact,
  factOf,
  labelOf,
  policyHeld,
  recordUnder,
  tombstoneOf,
} from './fact.ts';
import { isHarmless, snapshotUnder } from './policy-tombstone.ts';
import { isRevived } from './tombstone.ts';

export const REVOKED_LIMITS = {
  /** Accounts, roles and teams remembered; those whose last change is longest ago go first. */
  accounts: 10_000,
  /** Digests per account, the newest. A record keeps 8. */
  digests: DIGESTS_KEPT,
} as const;

/**
 * What this instance has seen revoked and lowered. It outlives every reload, because a primary that
 * took over without the last changes would otherwise bring back what they had shut out, and nobody
 * but those who saw the changes can know.
 *
 * A revoked digest and a deleted account stay so whatever a store says later: tokens are random and
 * ids are never used again. "Inactive" can be taken back by an administrator, and so can a
 * lowering, so they are held against the store only while the store does not know of them; all that
 * is known of roles and teams is of that kind. Only a record that an import was told to revive is
 * held to nothing that was known before.
 */
export class Revoked {
  readonly #facts = new Map<string, Fact>();
  #epoch = '';
  #revision = 0;

  /** @param before what an earlier run has seen, in the registry of this epoch */
  constructor(before?: {
    readonly epoch: string;
    readonly facts: Iterable<readonly [label: string, fact: Fact]>;
  }) {
    if (before === undefined) return;
    this.#epoch = before.epoch;
    for (const [id, fact] of before.facts) this.#facts.set(id, fact);
  }

  /** Another number than before when anything that is known has changed. */
  get revision(): number {
    return this.#revision;
  }

  get facts(): readonly (readonly [label: string, fact: Fact])[] {
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

  /**
   * What a record was last seen to be, for who would bring back an earlier one.
   *
   * @param label id of an account, `role:NAME` or `team:NAME`
   */
  known(label: string): Tombstone | null {
    const fact = this.#facts.get(label);
    return fact === undefined ? null : tombstoneOf(label, fact, true);
  }

  /**
   * Takes note of an event, and answers it as it is to be applied: what is known to be revoked is
   * not brought back by it.
   */
  note(event: FeedEvent): FeedEvent {
    return {
      ...event,
      changes: event.changes.map((change) => this.#noteChange(change, event.seq)),
    };
  }

  /** An account as read from a store, without what is known to be revoked. */
  against(account: Account): Account | null {
    const fact = this.#facts.get(account.id);
    return fact === undefined ? account : recordUnder(account, fact);
  }

  /** Roles and teams as read from a store, without what is known to be taken away. */
  againstAll(snapshot: PolicySnapshot): PolicySnapshot {
    return snapshotUnder(snapshot, (label) => policyHeld(this.#facts.get(label)));
  }

  /** Roles and teams as a store holds them: what would take nothing from them needs not be told. */
  compare({ roles, teams }: PolicySnapshot): void {
    const kinds = [
      ['role', roles],
      ['team', teams],
    ] as const;
    const held = new Map<string, Role | Team>(
      kinds.flatMap(([kind, records]) =>
        records.map((record) => [`${kind}:${record.name}`, record] as const),
      ),
    );
    for (const [label, fact] of this.#facts) {
      if (!('seen' in fact) || fact.lost !== 'untold') continue;
      const record = held.get(label) ?? null;
      if (fact.seen.every((seen) => isHarmless(record, seen)))
        this.#facts.set(label, { ...fact, lost: 'told' });
    }
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
      .map(([label, fact]) => tombstoneOf(label, fact));
  }

  /** The store has been told: from now on whoever changes these accounts knows. */
  told(tombstones: readonly Tombstone[]): void {
    this.#revision += 1;
    for (const tombstone of tombstones) {
      const label = 'policy' in tombstone ? tombstone.policy : tombstone.account;
      const fact = this.#facts.get(label);
      if (fact !== undefined) this.#facts.set(label, { ...fact, lost: 'told' });
    }
  }

  #noteChange(change: RecordChange, seq: number): RecordChange {
    const { record } = change;
    const label = labelOf(change);
    const before = this.#facts.get(label);
    const known = record !== null && isRevived(record, before?.seq) ? undefined : before;
    const fact = factOf(change, seq, known);
    if (before !== undefined || fact !== null) this.#revision += 1;
    this.#facts.delete(label);
    if (fact === null) return change;
    this.#facts.set(label, fact);
    if (this.#facts.size > REVOKED_LIMITS.accounts) this.#forgetOldest();
    return changeUnder(change, fact);
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
