import type { Account, Role, Team } from '../../account/model.ts';
import { type MadeChange, madeIn } from '../../audit/event/made-change.ts';
import type { ChangePage } from '../../registry/port.ts';
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
 * given in the meantime cannot have been used all along. A new token, a description and an expiry
 * give nothing; but who had no token, was out of time, or was held to other networks or another
 * certificate, could not call before, or not from there.
 */
export class RightsChanged {
  readonly #since: string;
  /** What is older by the clock of any instance is of no interest. */
  readonly #oldest: string;
  /** The registry's sequence number before the history was read. */
  readonly #asOf: number;
  readonly #changed = new Set<string>();
  /** Whose changes since then were found, of whatever kind. */
  readonly #found = new Set<string>();
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
      const came = await changed.#take(page);
      // What cannot be read may have given anything to anybody.
      if (came === 'to-unreadable') break;
      changed.#isWhole = came === 'to-older' || page.next === null;
      if (changed.#isWhole) break;
      before = page.next;
    }
    return changed;
  }

  /** Of one change the clock may be wrong: what is older begins where a whole page is. */
  async #take(page: ChangePage): Promise<'to-its-end' | 'to-older' | 'to-unreadable'> {
    let isOlder = page.items.length > 0;
    for (const [at, line] of page.items.entries()) {
      if (at % AT_ONCE === 0) await turn();
      const made = madeIn(line);
      if (made === null) return 'to-unreadable';
      const time = laterOf(made.time, page.recordedMs[at] ?? null);
      if (time >= this.#oldest) isOlder = false;
      if (time > this.#since) this.#note(made);
    }
    return isOlder ? 'to-older' : 'to-its-end';
  }

  #note(made: MadeChange): void {
    // Of a change that waits for approval: what is made of it has an event of its own.
    if (made.type.startsWith('change-')) return;
    this.#found.add(keyOf(made.target));
    if (isOfRights(made)) this.#changed.add(keyOf(made.target));
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
    const key = keyOf({ kind, id });
    if (createdAt > this.#since || this.#changed.has(key)) return true;
    // The history was read before the record was written.
    if (version > this.#asOf) return true;
    // By a change that was not found, it may have been given anything.
    return updatedAt > this.#since && !(this.#isWhole && this.#found.has(key));
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

/** Whoever made a change may have a clock that is slow, and the store's is not theirs. */
function laterOf(time: string, recordedMs: number | null): string {
  const recorded = recordedMs === null ? '' : new Date(recordedMs).toISOString();
  return time > recorded ? time : recorded;
}

function isOfRights({ target, before, after, time }: MadeChange): boolean {
  // Made, imported or deleted.
  if (before === null || after === null) return true;
  const decide = DECIDE[target.kind] ?? [];
  const differs = (field: string) => JSON.stringify(before[field]) !== JSON.stringify(after[field]);
  if (decide.some(differs)) return true;
  const { tokenCreatedAt, expiresAt } = before;
  if (tokenCreatedAt === null && differs('tokenCreatedAt')) return true;
  if (typeof expiresAt === 'string' && expiresAt <= time && differs('expiresAt')) return true;
  if (before.boundTo !== undefined && differs('boundTo')) return true;
  return isWidened(before.allowedNetworks, after.allowedNetworks);
}

/** Some network is new in the list, or there is none any more. */
function isWidened(before: unknown, after: unknown): boolean {
  if (!Array.isArray(before)) return false;
  return !Array.isArray(after) || after.some((one) => !before.includes(one));
}
