import { type Account, isRestricted } from './model.ts';
import { isInDoubt, rolelessIn } from './policy.ts';
import { NO_ROLE } from './role.ts';
import { NO_DIGEST } from './token.ts';

/**
 * Which of the three rules decides about an account on an application, and the role that it names.
 */
export interface RoleRule {
  readonly rule: 'grant' | 'team' | 'default' | 'in-doubt';
  readonly role: string;
}

/**
 * An account compiled for deciding: look-ups instead of searches. Immutable; a change to the
 * account makes a new one.
 *
 * 100,000 of these are cached, so nothing is stored that can be asked of `account` as quickly: no
 * map for a handful of entries.
 */
export interface Principal {
  readonly account: Account;
  /**
   * Digest of the live token, ready for `digestsEqual`; `NO_DIGEST` when there is none, and always
   * for people.
   */
  readonly liveDigest: string;
  /**
   * Digest of the token before it, while a rotation's overlap lets both in; `NO_DIGEST` when there
   * is none.
   */
  readonly previousDigest: string;
  /**
   * Milliseconds since the Unix epoch (wall clock) from which on the previous token counts for
   * nothing.
   */
  readonly previousUntilMs: number;
  /**
   * Milliseconds since the Unix epoch (wall clock) from which on the account counts for nothing;
   * null = never.
   */
  readonly expiresAtMs: number | null;
  /**
   * A service account that is active, never expires, is let in from anywhere and is no bait:
   * nothing needs to be asked about it.
   */
  readonly countsAlways: boolean;
  /**
   * The one rule of the domain: a direct grant on the application; else the role in the team that
   * owns it; else the default role. The more specific one replaces the other and can lower as well
   * as raise. `owningTeam` as `PolicyView.ownerOf` answers it: null = no team owns it; where that
   * is in doubt, members of the teams in question have no role but by a grant.
   */
  roleRule(application: string, owningTeam: string | null): RoleRule;
  /** The role that `roleRule` names. */
  effectiveRole(application: string, owningTeam: string | null): string;
  /**
   * Roles that may replace the default one somewhere, each once: an unsafe call on any application
   * needs the consent of all.
   */
  readonly perApplicationRoles: readonly string[];
  /**
   * The applications named in grants whose spelling is equal but for letter case, each once.
   * `folded` is in lower case.
   */
  grantedLike(folded: string): readonly string[];
}

export function compilePrincipal(account: Account): Principal {
  return new CompiledAccount(account);
}

/**
 * Up to here walking the list is as quick as asking a map, and the map would weigh more than the
 * account.
 */
const SCANNED_MAX = 8;
const NOTHING: readonly string[] = [];

class CompiledAccount implements Principal {
  readonly account: Account;
  readonly liveDigest: string;
  readonly previousDigest: string;
  readonly previousUntilMs: number;
  readonly expiresAtMs: number | null;
  readonly countsAlways: boolean;
  readonly perApplicationRoles: readonly string[];
  readonly #grants: ReadonlyMap<string, string> | null;
  readonly #teams: ReadonlyMap<string, string> | null;

  constructor(account: Account) {
    this.account = account;
    // A bait has no token that counts, whatever stands in its record.
    const holdsToken = account.kind === 'service' && account.honey !== true;
    this.liveDigest = holdsToken && account.token !== null ? account.token.digest : NO_DIGEST;
    const previous = holdsToken ? (account.previous ?? null) : null;
    this.previousDigest = previous?.digest ?? NO_DIGEST;
    // No moment that can be read: then it is over.
    this.previousUntilMs = previous === null ? 0 : Date.parse(previous.validUntil) || 0;
    this.expiresAtMs = expiryMs(account.expiresAt);
    this.countsAlways =
      account.kind === 'service' &&
      account.status === 'active' &&
      this.expiresAtMs === null &&
      account.honey !== true &&
      !isRestricted(account);
    this.perApplicationRoles = distinctRoles(account);
    this.#grants = indexed(account.grants, (grant) => grant.application);
    this.#teams = indexed(account.teams, (membership) => membership.team);
  }

  roleRule(application: string, owningTeam: string | null): RoleRule {
    const granted = this.#grantedRole(application);
    if (granted !== undefined) return { rule: 'grant', role: granted };
    const inTeam = owningTeam === null ? undefined : this.#teamRole(owningTeam);
    if (inTeam !== undefined) return { rule: 'team', role: inTeam };
    if (owningTeam !== null && isInDoubt(owningTeam) && this.#isRolelessIn(owningTeam))
      return { rule: 'in-doubt', role: NO_ROLE };
    return { rule: 'default', role: this.account.role };
  }

  effectiveRole(application: string, owningTeam: string | null): string {
    return this.roleRule(application, owningTeam).role;
  }

  grantedLike(folded: string): readonly string[] {
    let found: Set<string> | null = null;
    for (const { application } of this.account.grants) {
      if (application.length !== folded.length || application.toLowerCase() !== folded) continue;
      found ??= new Set();
      found.add(application);
    }
    return found === null ? NOTHING : [...found];
  }

  #grantedRole(application: string): string | undefined {
    if (this.#grants !== null) return this.#grants.get(application);
    for (const grant of this.account.grants)
      if (grant.application === application) return grant.role;
    return undefined;
  }

  #isRolelessIn(owner: string): boolean {
    return this.account.teams.some(({ team }) => rolelessIn(owner, team));
  }

  #teamRole(team: string): string | undefined {
    if (this.#teams !== null) return this.#teams.get(team);
    for (const membership of this.account.teams)
      if (membership.team === team) return membership.role;
    return undefined;
  }
}

/** A damaged date is taken for one that has passed: fail closed. */
function expiryMs(expiresAt: string | null): number | null {
  if (expiresAt === null) return null;
  const ms = Date.parse(expiresAt);
  return Number.isNaN(ms) ? Number.NEGATIVE_INFINITY : ms;
}

function distinctRoles(account: Account): readonly string[] {
  if (account.grants.length === 0 && account.teams.length === 0) return NOTHING;
  return [...new Set([...account.grants, ...account.teams].map((entry) => entry.role))];
}

/**
 * Null for short lists. Of two entries with one key the first counts, as it does when the list is
 * walked.
 */
function indexed<Entry extends { readonly role: string }>(
  entries: readonly Entry[],
  keyOf: (entry: Entry) => string,
): ReadonlyMap<string, string> | null {
  if (entries.length <= SCANNED_MAX) return null;
  const index = new Map<string, string>();
  for (const entry of entries) if (!index.has(keyOf(entry))) index.set(keyOf(entry), entry.role);
  return index;
}
