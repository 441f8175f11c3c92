import { Policy } from '../../account/policy.ts';
import { compilePrincipal } from '../../account/principal.ts';
import type { RecordChange } from '../commit.ts';
import type { FeedEvent, PolicySnapshot } from '../port.ts';
import type { Position } from '../position.ts';
import type { Holdings } from '../warm/snapshot.ts';
import { AccountCache } from './account-cache.ts';
import type { Lookup } from './port.ts';
import { Trail } from './trail.ts';

export const ABSENT: Lookup = { found: 'absent' };
export const UNAVAILABLE: Lookup = { found: 'unavailable' };

type AccountChange = Extract<RecordChange, { kind: 'account' }>;

/** A look-up under way, and what the feed has said about its account meanwhile. */
interface Pending {
  readonly answer: Promise<Lookup>;
  newer: { readonly seq: number; readonly answer: Lookup } | null;
}

/**
 * Everything that was learned since one snapshot. When the feed is lost the whole generation goes,
 * and with it whatever is still on its way into it: nothing of one history can slip into the next.
 */
export class Generation {
  readonly epoch: string;
  readonly policy: Policy;
  readonly damagedRoles: readonly string[];
  readonly accounts: AccountCache;
  /**
   * Ids that name no account: bounded apart, so that guessing pushes out guesses and not accounts.
   */
  readonly negatives: AccountCache;
  readonly pending = new Map<string, Pending>();
  /** Aborted when the generation is dropped. */
  readonly ended = new AbortController();
  /**
   * The number of the state of the tombstones that everything here was read under; undefined where
   * there are none.
   */
  readonly tombstones: number | undefined;
  readonly trail: Trail;

  constructor(
    snapshot: PolicySnapshot,
    limits: { readonly maxAccounts: number; readonly maxNegatives: number },
  ) {
    this.epoch = snapshot.epoch;
    this.policy = Policy.of(snapshot.roles, snapshot.teams);
    this.damagedRoles = snapshot.damagedRoles;
    this.accounts = new AccountCache(limits.maxAccounts);
    this.negatives = new AccountCache(limits.maxNegatives);
    this.tombstones = snapshot.tombstones;
    this.trail = new Trail(positionOf(snapshot.epoch, snapshot));
  }

  get position(): Position {
    return this.trail.position;
  }

  get appliedSeq(): number {
    return this.trail.position.seq;
  }

  /**
   * Applies what is new of it. False: something is missing before it. The feed and a read past it
   * may both bring the same event.
   */
  apply(event: FeedEvent): boolean {
    const { seq, tip } = this.position;
    if (event.seq <= seq) return true;
    if (event.seq !== seq + 1 || (tip !== undefined && event.prev !== tip)) return false;
    for (const change of event.changes) this.#applyChange(change, event.seq);
    for (const id of event.unreadable ?? []) this.#forget(id, event.seq);
    this.trail.goTo(positionOf(this.epoch, event));
    return true;
  }

  /**
   * Keeps what a read found; answers what counts: the feed may have brought something newer while
   * the read was under way.
   */
  learn(id: string, read: Lookup, asOfSeq: number): Lookup {
    const newer = this.pending.get(id)?.newer ?? null;
    if (newer !== null && newer.seq > asOfSeq)
      return newer.answer === UNAVAILABLE ? UNAVAILABLE : this.#keep(id, newer.answer, newer.seq);
    return this.#keep(id, read, asOfSeq);
  }

  /** The accounts held, for a warm start. */
  holdings(): Holdings {
    const { tombstones } = this;
    return {
      at: tombstones === undefined ? this.position : { ...this.position, tombstones },
      ids: this.accounts.ids(),
      account: (id) => {
        const known = this.accounts.peek(id);
        return known?.found === 'account' ? known.account.account : null;
      },
      dropped: () => this.ended.signal.aborted,
    };
  }

  #applyChange(change: RecordChange, seq: number): void {
    switch (change.kind) {
      case 'account':
        this.#applyAccount(change, seq);
        break;
      case 'role':
        if (change.record === null) this.policy.dropRole(change.key);
        else this.policy.putRole(change.record);
        break;
      case 'team':
        if (change.record === null) this.policy.dropTeam(change.key);
        else this.policy.putTeam(change.record);
        break;
    }
  }

  /**
   * Only for accounts that are cached or being looked up: the cache holds who calls, not who
   * exists.
   */
  #applyAccount({ key, record }: AccountChange, seq: number): void {
    const pending = this.pending.get(key);
    const asOfSeq = this.accounts.asOf(key) ?? this.negatives.asOf(key);
    if (pending === undefined && asOfSeq === undefined) return;
    const answer: Lookup =
      record === null ? ABSENT : { found: 'account', account: compilePrincipal(record) };
    if (pending !== undefined) pending.newer = { seq, answer };
    if (asOfSeq !== undefined && asOfSeq < seq) this.#keep(key, answer, seq);
  }

  /** What it has become only the store can say, if anybody. */
  #forget(id: string, seq: number): void {
    const pending = this.pending.get(id);
    if (pending !== undefined) pending.newer = { seq, answer: UNAVAILABLE };
    this.accounts.delete(id);
    this.negatives.delete(id);
  }

  #keep(id: string, answer: Lookup, asOfSeq: number): Lookup {
    const [home, other] =
      answer.found === 'account'
        ? [this.accounts, this.negatives]
        : [this.negatives, this.accounts];
    other.delete(id);
    home.put(id, answer, asOfSeq);
    return answer;
  }
}

function positionOf(
  epoch: string,
  { seq, tip }: { readonly seq: number; readonly tip?: string },
): Position {
  return tip === undefined ? { epoch, seq } : { epoch, seq, tip };
}
