import type { Account } from '../../account/model.ts';
import type { FeedEvent, PolicySnapshot, RegistrySource } from '../port.ts';
import type { Remembered } from '../revoked/file.ts';
import { Revoked } from '../revoked/revoked.ts';
import type { Tombstone } from '../tombstone.ts';
import type { Generation } from './generation.ts';
import { readHistory } from './history.ts';
import { Trail } from './trail.ts';

export interface RemembranceObserver {
  /**
   * The store has lost changes: of so many accounts, roles and teams it gave more than is known to
   * be left.
   */
  onRevived(records: number): void;
  /** It could not be told now. */
  onFault(fault: unknown): void;
}

/**
 * What an instance keeps from one generation to the next: what it has seen revoked, and how far it
 * had come. A store that has lost changes is told of them.
 */
export class Remembrance {
  readonly #source: RegistrySource;
  readonly #observer: RemembranceObserver;
  readonly #revoked: Revoked;
  /** The way that the last generation had come. */
  #reached: Trail | null = null;
  #reachedTombstones = 0;

  /** @param before what the last run of the instance has seen, and how far it had come */
  constructor(
    source: RegistrySource,
    observer: RemembranceObserver,
    before: Remembered | null = null,
  ) {
    this.#source = source;
    this.#observer = observer;
    if (before === null) {
      this.#revoked = new Revoked();
      return;
    }
    const { tombstones = 0, ...position } = before.at;
    this.#revoked = new Revoked({ epoch: position.epoch, facts: before.facts });
    this.#reached = new Trail(position);
    this.#reachedTombstones = tombstones;
  }

  /**
   * To be written down for the next run; null while nothing was seen of a registry.
   *
   * @param generation the present one
   */
  remembered(
    generation: Generation | null,
  ): { readonly revision: number; readonly known: Remembered } | null {
    const position = generation?.position ?? this.#reached?.position;
    if (position === undefined) return null;
    const tombstones = generation === null ? this.#reachedTombstones : (generation.tombstones ?? 0);
    const { revision, facts } = this.#revoked;
    return { revision, known: { at: { ...position, tombstones }, facts } };
  }

  /** Where a generation has come when it ends. */
  leave({ trail, tombstones }: Generation): void {
    this.#reached = trail;
    this.#reachedTombstones = tombstones ?? 0;
  }

  /** Takes note of an event, and answers it as it is to be applied. */
  note(event: FeedEvent): FeedEvent {
    return this.#revoked.note(event);
  }

  /** What is known of a record, whether or not the store knows it too. */
  known(label: string): Tombstone | null {
    return this.#revoked.known(label);
  }

  /** An account as read from a store, without what is known to be revoked. */
  against(account: Account): Account | null {
    return this.#revoked.against(account);
  }

  /**
   * Roles and teams, and what was revoked lately. When the store has lost changes that we have
   * seen, it is told what they revoked, and only then is read what counts: every later change is
   * then made by somebody who could know.
   */
  async load(): Promise<PolicySnapshot> {
    const snapshot = await this.#source.snapshot();
    this.#revoked.begin(snapshot.epoch);
    const history = await readHistory(this.#source, this.#reached, snapshot);
    // Fewer tombstones than before: the same number of changes, and what it was told besides is
    // lost.
    const untold = (snapshot.tombstones ?? 0) < this.#reachedTombstones;
    if (history.lost || untold) this.#revoked.lose(snapshot, history.forked);
    this.#revoked.compare(snapshot);
    for (const event of history.events) this.#revoked.note(event);
    const lost = this.#revoked.lost().length;
    if (lost > 0) this.#observer.onRevived(lost);
    const told = await this.tell();
    return this.#revoked.againstAll(told ? await this.#source.snapshot() : snapshot);
  }

  /**
   * Answers whether there was something to tell and it was told. If it cannot be told now, we go on
   * refusing by ourselves and try again.
   */
  async tell(): Promise<boolean> {
    const lost = this.#revoked.lost();
    if (lost.length === 0) return false;
    try {
      await this.#source.assert(lost);
      this.#revoked.told(lost);
      return true;
    } catch (fault) {
      this.#observer.onFault(fault);
      return false;
    }
  }
}
