import type { Account } from '../account/model.ts';
import { compilePermissions, exceeds } from '../account/permission.ts';
import { compilePrincipal } from '../account/principal.ts';
import type { Records } from './records.ts';

/** Lines at most: the rest is counted. */
const LINES_MAX = 12;

/** Roles and teams before a change, and after it. */
export interface Between {
  readonly before: Records;
  readonly after: Records;
}

/**
 * What an account may do no more after a change, a line each: by its default role, and on each
 * application where a team or a grant decides before or after. For people who look before they
 * confirm; what is gained is not said.
 *
 * @param records where these stay as they are, `after` is `before`
 */
export function lossesOf(
  before: Account,
  after: Account | null,
  records: Between,
  nowMs: number,
): readonly string[] {
  if (!isLetIn(before, nowMs)) return [];
  if (after === null || !isLetIn(after, nowMs)) return ['everything: it is let in nowhere'];
  const [old, now] = [compilePrincipal(before), compilePrincipal(after)];
  const lines = [
    ...ofRoles(before.role, after.role, records, 'by default'),
    ...applicationsOf(before, after, records).flatMap(({ application, owner }) => {
      const was = old.effectiveRole(application, owner.before);
      const is = now.effectiveRole(application, owner.after);
      return was === before.role && is === after.role
        ? []
        : ofRoles(was, is, records, `on ${application}`);
    }),
    ...ofExpiry(before, after),
  ];
  const more = lines.length - LINES_MAX;
  return more > 0 ? [...lines.slice(0, LINES_MAX), `and ${more} more`] : lines;
}

/** Bait never is, whatever it has. */
export function isLetIn({ status, expiresAt, honey }: Account, nowMs: number): boolean {
  const counts = expiresAt === null || Date.parse(expiresAt) > nowMs;
  return status === 'active' && honey !== true && counts;
}

/** Patterns of the one role that the other one does not cover. */
function ofRoles(
  was: string,
  is: string,
  { before, after }: Between,
  where: string,
): readonly string[] {
  if (was === is && before === after) return [];
  const held = compilePermissions(after.permissionsOf([is]));
  return before
    .permissionsOf([was])
    .filter((pattern) => exceeds(compilePermissions([pattern]), held))
    .map((pattern) => `${pattern} ${where}`);
}

interface Owned {
  readonly application: string;
  /** The team that owns it, before and after. */
  readonly owner: { readonly before: string | null; readonly after: string | null };
}

/** Where the default role does not decide, before or after. */
function applicationsOf(before: Account, after: Account, records: Between): readonly Owned[] {
  const names = new Map<string, string>();
  const add = (application: string) => names.set(application.toLowerCase(), application);
  for (const { grants } of [before, after]) for (const { application } of grants) add(application);
  for (const [account, known] of [
    [before, records.before],
    [after, records.after],
  ] as const)
    for (const { team } of account.teams)
      for (const application of known.teams.get(team)?.applications ?? []) add(application);
  const [old, now] = [ownersIn(records.before), ownersIn(records.after)];
  return [...names].map(([folded, application]) => ({
    application,
    owner: { before: old.get(folded) ?? null, after: now.get(folded) ?? null },
  }));
}

const OWNERS = new WeakMap<Records, ReadonlyMap<string, string>>();

/**
 * Which team owns each application, by its name in lower case. Computed once: many accounts ask.
 */
function ownersIn(records: Records): ReadonlyMap<string, string> {
  const known = OWNERS.get(records);
  if (known !== undefined) return known;
  const owners = new Map(
    [...records.teams.values()].flatMap(({ name, applications }) =>
      applications.map((application) => [application.toLowerCase(), name] as const),
    ),
  );
  OWNERS.set(records, owners);
  return owners;
}

function ofExpiry(before: Account, after: Account): readonly string[] {
  if (after.expiresAt === null || after.expiresAt === before.expiresAt) return [];
  const isSooner =
    before.expiresAt === null || Date.parse(after.expiresAt) < Date.parse(before.expiresAt);
  return isSooner ? [`everything from ${after.expiresAt} on`] : [];
}
