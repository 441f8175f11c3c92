import type { Account } from '../account/model.ts';
import { compilePermissions, exceeds } from '../account/permission.ts';
import { compilePrincipal } from '../account/principal.ts';
import type { Records } from './records.ts';

/** Lines at most: the rest is counted. */
const LINES_MAX = 12;

/**
 * What an account may do no more after a change, a line each: by its default role, and on each
 * application where a team or a grant decides before or after. For people who look before they
 * confirm; what is gained is not said.
 */
export function lossesOf(
  before: Account,
  after: Account | null,
  records: Records,
  nowMs: number,
): readonly string[] {
  if (!isLetIn(before, nowMs)) return [];
  if (after === null || !isLetIn(after, nowMs)) return ['everything: it is let in nowhere'];
  const [old, now] = [compilePrincipal(before), compilePrincipal(after)];
  const lines = [
    ...ofRoles(before.role, after.role, records, 'by default'),
    ...applicationsOf(before, after, records).flatMap(([application, team]) => {
      const was = old.effectiveRole(application, team);
      const is = now.effectiveRole(application, team);
      return was === before.role && is === after.role
        ? []
        : ofRoles(was, is, records, `on ${application}`);
    }),
    ...ofExpiry(before, after),
  ];
  const more = lines.length - LINES_MAX;
  return more > 0 ? [...lines.slice(0, LINES_MAX), `and ${more} more`] : lines;
}

function isLetIn({ status, expiresAt }: Account, nowMs: number): boolean {
  return status === 'active' && (expiresAt === null || Date.parse(expiresAt) > nowMs);
}

/** Patterns of the one role that the other one does not cover. */
function ofRoles(was: string, is: string, records: Records, where: string): readonly string[] {
  if (was === is) return [];
  const held = compilePermissions(records.permissionsOf([is]));
  return records
    .permissionsOf([was])
    .filter((pattern) => exceeds(compilePermissions([pattern]), held))
    .map((pattern) => `${pattern} ${where}`);
}

/** Where the default role does not decide, with the team that owns the application. */
function applicationsOf(
  before: Account,
  after: Account,
  records: Records,
): readonly (readonly [application: string, team: string | null])[] {
  const [known, owners] = [ownersIn(records), new Map<string, string | null>()];
  for (const { grants } of [before, after])
    for (const { application } of grants)
      owners.set(application, known.get(application.toLowerCase()) ?? null);
  for (const { team } of [...before.teams, ...after.teams])
    for (const application of records.teams.get(team)?.applications ?? [])
      owners.set(application, team);
  return [...owners];
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
