import type { Account, Role, Team } from '../account/model.ts';
import type { Commit, CommitResult, RecordChange } from '../registry/commit.ts';
import type { Assurance } from '../registry/members.ts';
import type { PolicySnapshot } from '../registry/port.ts';
import type { Position } from '../registry/position.ts';
import { takesAway } from './change.ts';
import type { ChangedStore } from './context.ts';
import type { Edit } from './edit.ts';

/** A change as it would be made. */
export interface Rehearsed {
  readonly commit: Commit;
  readonly edits: readonly Edit[];
  /** Whether anybody may do less after it. */
  readonly takesAway: boolean;
}

/**
 * The registry as it would be: reads answer what was committed here, else what the store below has,
 * and no change goes any further. So a row of changes is judged by the same rules as when it is
 * made, before any of it is made. Others' changes in between are not seen.
 *
 * @param made told each change that is committed here, in their order
 */
export function rehearsalOf(
  store: ChangedStore,
  made: (change: Rehearsed) => void = () => {},
): ChangedStore {
  return new Rehearsal(store, made);
}

class Rehearsal implements ChangedStore {
  readonly #store: ChangedStore;
  readonly #made: (change: Rehearsed) => void;
  #policy: PolicySnapshot | null = null;
  /** By id, and by name where there are such; of what was committed here. */
  readonly #accounts = new Map<string, Account | null>();
  readonly #names = new Map<string, Account>();
  /** Who uses a target by what was committed here, and who does not any more. */
  readonly #uses = new Map<
    string,
    { readonly added: Set<string>; readonly removed: Set<string> }
  >();
  #seq = 0;
  #instances: ReturnType<ChangedStore['instances']> | null = null;

  constructor(store: ChangedStore, made: (change: Rehearsed) => void) {
    this.#store = store;
    this.#made = made;
  }

  async snapshot(): Promise<PolicySnapshot> {
    this.#policy ??= await this.#store.snapshot();
    return this.#policy;
  }

  async account(id: string): Promise<Position & { readonly account: Account | null }> {
    const known = this.#accounts.get(id);
    if (known === undefined) return this.#store.account(id);
    const { epoch, seq } = await this.snapshot();
    return { epoch, seq, account: known };
  }

  async accountByName(name: string): Promise<Account | null> {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    const stored = await this.#store.accountByName(name);
    // Whoever was committed here has that name no more.
    return stored !== null && this.#accounts.has(stored.id) ? null : stored;
  }

  async referencesTo(target: string, limit: number): Promise<readonly string[]> {
    const { added, removed } = this.#usesOf(target);
    const stored = await this.#store.referencesTo(target, limit + removed.size);
    const all = [...added, ...stored.filter((user) => !removed.has(user) && !added.has(user))];
    return all.slice(0, limit);
  }

  async useCounts(targets: readonly string[]): Promise<readonly number[]> {
    const counts = await this.#store.useCounts(targets);
    return counts.map((count, index) => {
      const { added, removed } = this.#usesOf(targets[index]!);
      return count + added.size - removed.size;
    });
  }

  uses(account: string): ReturnType<ChangedStore['uses']> {
    return this.#store.uses(account);
  }

  /** Asked once for all changes: who must be able to read what would be written. */
  instances(): ReturnType<ChangedStore['instances']> {
    this.#instances ??= this.#store.instances();
    return this.#instances;
  }

  async commit(commit: Commit): Promise<CommitResult> {
    const { changes, claims, references } = commit;
    const { epoch, seq } = await this.snapshot();
    for (const { claim, owner } of claims.take)
      if (await this.#isAnothers(claim, owner))
        return { committed: false, conflict: 'claim', key: claim };
    for (const target of commit.unreferenced) {
      const count = await this.#usersLeft(target, references);
      if (count > 0) return { committed: false, conflict: 'referenced', key: target, count };
    }
    const edits = await Promise.all(changes.map((change) => this.#editOf(change)));
    this.#made({ commit, edits, takesAway: edits.some(takesAway) });
    this.#seq = Math.max(this.#seq, seq) + 1;
    for (const change of changes) {
      if (change.kind === 'account') this.#note(change.key, change.record);
      else this.#notePolicy(change.kind, change.key, change.record);
    }
    for (const { target, user } of references.add) this.#moved(target, user, 'added', 'removed');
    for (const { target, user } of references.remove) this.#moved(target, user, 'removed', 'added');
    return { committed: true, seq: this.#seq, epoch, members: [], replicated: true };
  }

  async #editOf({ kind, key, record: after }: RecordChange): Promise<Edit> {
    const { roles, teams } = await this.snapshot();
    const named = ({ name }: { readonly name: string }) => name === key;
    const before =
      kind === 'account'
        ? (await this.account(key)).account
        : ((kind === 'role' ? roles.find(named) : teams.find(named)) ?? null);
    return { kind, key, before, after } as Edit;
  }

  /** Who uses a target once these references have come and gone. */
  async #usersLeft(target: string, { add, remove }: Commit['references']): Promise<number> {
    const [count = 0] = await this.useCounts([target]);
    const of = (list: Commit['references']['add']) =>
      list.filter((one) => one.target === target).length;
    return count + of(add) - of(remove);
  }

  async #isAnothers(claim: string, owner: string): Promise<boolean> {
    const name = claim.slice(claim.indexOf(':') + 1);
    if (claim.startsWith('name:')) {
      const holder = await this.accountByName(name);
      return holder !== null && `account:${holder.id}` !== owner;
    }
    const { teams } = await this.snapshot();
    return teams.some(
      (team) =>
        `team:${team.name}` !== owner &&
        team.applications.some((application) => application.toLowerCase() === name),
    );
  }

  #note(id: string, record: Account | null): void {
    const before = this.#accounts.get(id);
    if (before) this.#names.delete(before.name);
    const account = record === null ? null : { ...record, version: this.#seq };
    this.#accounts.set(id, account);
    if (account !== null) this.#names.set(account.name, account);
  }

  #notePolicy(kind: 'role' | 'team', key: string, record: Role | Team | null): void {
    const list = kind === 'role' ? 'roles' : 'teams';
    const others = (this.#policy![list] as readonly (Role | Team)[]).filter(
      ({ name }) => name !== key,
    );
    const now = record === null ? others : [...others, { ...record, version: this.#seq }];
    this.#policy = { ...this.#policy!, [list]: now };
  }

  #usesOf(target: string) {
    return this.#uses.get(target) ?? { added: new Set<string>(), removed: new Set<string>() };
  }

  /** Whoever was on the other side before is on neither: as the store has it. */
  #moved(target: string, user: string, to: 'added' | 'removed', from: 'added' | 'removed'): void {
    const uses = this.#usesOf(target);
    this.#uses.set(target, uses);
    if (!uses[from].delete(user)) uses[to].add(user);
  }

  // Nobody has to take notice of what does not happen.

  async progress(): Promise<readonly []> {
    return [];
  }

  async assurance(): Promise<Assurance> {
    return { assurance: 'topology-dependent', marginMs: 0 };
  }

  async holds(): Promise<boolean> {
    return true;
  }

  async forget(): Promise<boolean> {
    return false;
  }
}
