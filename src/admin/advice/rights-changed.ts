import type { Account, Role, Team } from '../../account/model.ts';
import { type MadeChange, madeIn } from '../../audit/event/made-change.ts';
import { turn } from '../../turns.ts';
import { type AdminActor, mustBeThere } from '../actor.ts';
import { reading } from '../change.ts';
import type { AdminContext } from '../context.ts';
import { SKEW_MS } from '../request-lookup.ts';

/** Changes that are looked at, the newest: some 30 days of 1,500 a day. */
const EXAMINED_MAX = 50_000;
const PAGE = 500;
/** Changes that are read in one turn of the loop: about a millisecond. */
const AT_ONCE = 50;

type Judged = Pick<Account | Role | Team, 'version' | 'createdAt' | 'updatedAt'>;

/**
 * Whose rights were changed since a moment, by the history of administrative changes: what was
 * given in the meantime cannot have been used all along. A new token, a description, networks and
 * an expiry give nothing; but who had no token, or was out of time, could not call before.
 */
export class RightsChanged {
  readonly #since: string;
  /** What is older by the clock of any instance is of no interest. */
  readonly #oldest: string;
  /** The registry's sequence number before the history was read. */
  readonly #asOf: number;
  readonly #changed = new Set<string>();
  /** Every change since then was read: else whatever was written since counts as changed. */
  #isWhole = false;

  private constructor(since: string, asOf: number) {
    this.#since = since;
    this.#oldest = new Date(Math.max(0, Date.parse(since) - SKEW_MS)).toISOString();
    this.#asOf = asOf;
  }

  /**
   * @param since ISO 8601, UTC
   * @param asOf the registry's sequence number, read before
   */
  static async read(
    { store }: Pick<AdminContext, 'store'>,
    actor: AdminActor,
    { since, asOf, examinedMax = EXAMINED_MAX }: Reach,
  ): Promise<RightsChanged> {
    const changed = new RightsChanged(since, asOf);
    let before: string | null = null;
    for (let examined = 0; examined < examinedMax; ) {
      mustBeThere(actor);
      const limit = Math.min(PAGE, examinedMax - examined);
      const page = await reading(() => store.changes({ account: null, before, limit }));
      examined += page.items.length;
      const came = await changed.#take(page.items);
      // What cannot be read may have given anything to anybody.
      if (came === 'to-unreadable') break;
      changed.#isWhole = came === 'to-older' || page.next === null;
      if (changed.#isWhole) break;
      before = page.next;
    }
    return changed;
  }

  async #take(lines: readonly string[]): Promise<'to-its-end' | 'to-older' | 'to-unreadable'> {
    for (const [at, line] of lines.entries()) {
      if (at % AT_ONCE === 0) await turn();
      const made = madeIn(line);
      if (made === null) return 'to-unreadable';
      if (made.time < this.#oldest) return 'to-older';
      if (made.time > this.#since && isOfRights(made)) this.#changed.add(keyOf(made.target));
    }
    return 'to-its-end';
  }

  account(account: Account): boolean {
    return this.#has('account', account.id, account);
  }

  role(role: Role): boolean {
    return this.#has('role', role.name, role);
  }

  team(team: Team): boolean {
    return this.#has('team', team.name, team);
  }

  #has(kind: string, id: string, { version, createdAt, updatedAt }: Judged): boolean {
    if (createdAt > this.#since || this.#changed.has(keyOf({ kind, id }))) return true;
    // The history was read before the record was written.
    if (version > this.#asOf) return true;
    return !this.#isWhole && updatedAt > this.#since;
  }
}

interface Reach {
  readonly since: string;
  readonly asOf: number;
  readonly examinedMax?: number;
}

function keyOf({ kind, id }: { readonly kind: string; readonly id: string }): string {
  return `${kind}:${id}`;
}

const DECIDE: Readonly<Record<string, readonly string[]>> = {
  account: ['status', 'role', 'teams', 'grants'],
  role: ['permissions'],
  team: ['applications'],
};

function isOfRights({ type, target, before, after, time }: MadeChange): boolean {
  // Of a change that waits for approval: what is made of it has an event of its own.
  if (type.startsWith('change-')) return false;
  // Made, imported or deleted.
  if (before === null || after === null) return true;
  const decide = DECIDE[target.kind] ?? [];
  const differs = (field: string) => JSON.stringify(before[field]) !== JSON.stringify(after[field]);
  if (decide.some(differs)) return true;
  const { tokenCreatedAt, expiresAt } = before;
  if (tokenCreatedAt === null && differs('tokenCreatedAt')) return true;
  return typeof expiresAt === 'string' && expiresAt <= time && differs('expiresAt');
}
