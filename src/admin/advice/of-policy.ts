import type { Role, Team } from '../../account/model.ts';
import { compilePermissions, exceeds, isOwn } from '../../account/permission.ts';
import type { Policy } from '../../account/policy.ts';
import { ADMINISTRATOR_ROLE } from '../../account/role.ts';
import { type Evidence, type Finding, NO_CALLS } from './finding.ts';
import * as prepared from './prepared.ts';
import type { RegistryUse, Uses } from './usage.ts';

/** A pattern is narrowed to no more permissions than these. */
const NARROWED_MAX = 20;

const SIGN_IN_UNKNOWN =
  'People may get it at their sign-in: no configuration that was read here has an `identity` provider (name the gate’s configuration with --routes).';

/** What is worth a look about a role, by the calls that it decided. */
export function adviceOnRole(role: Role, use: RegistryUse): readonly Finding[] {
  const doubts = [...youngHolders(role, use), ...(use.knowsSignIn ? [] : [SIGN_IN_UNKNOWN])];
  return ofRole(role, use).map((one) => {
    const details = [...one.evidence.details, ...doubts];
    return { ...one, evidence: { ...one.evidence, details } };
  });
}

function youngHolders({ name }: Role, use: RegistryUse): readonly string[] {
  const young = use.heldByYoung.get(name) ?? 0;
  if (young === 0) return [];
  return [
    `${young} of the ${use.held.get(name)} accounts that have it ${young === 1 ? 'was' : 'were'} made or given other rights in that time, and may come to use more.`,
  ];
}

function ofRole(role: Role, use: RegistryUse): readonly Finding[] {
  if (role.name === ADMINISTRATOR_ROLE) return [];
  // People administer with what they may not call: nobody can give what they do not have.
  if (use.heldByPeople.has(role.name)) return [];
  const holders = use.held.get(role.name) ?? 0;
  // It is part of the bait, which could not have it any more.
  if (holders === 0 && use.heldByBaits.has(role.name)) return [];
  if (holders === 0)
    return [
      finding(
        'role-unused',
        role,
        `Nobody has the role ${role.name}.`,
        NOTHING,
        prepared.withoutRole(role),
      ),
    ];
  // What all of them have from yesterday, none can have used all along.
  if (holders === use.heldByYoung.get(role.name)) return [];
  const used = use.roles.get(role.name) ?? new Map<string, Uses>();
  const proxied = role.permissions.filter((pattern) => !isOwn(pattern));
  if (used.size === 0) return proxied.length === 0 ? [] : [neverDecided(role, holders)];
  return [...unusedPermissions(role, proxied, used), ...widePermissions(role, proxied, used)];
}

function neverDecided(role: Role, holders: number): Finding {
  const words = `The role ${role.name} has let in no call, and ${holders === 1 ? '1 account has' : `${holders} accounts have`} it.`;
  const details = ['It cannot be deleted while accounts have it: look at these first.'];
  return finding('role-unused', role, words, { ...NO_CALLS, details }, null);
}

type Used = ReadonlyMap<string, Uses>;

function unusedPermissions(role: Role, proxied: readonly string[], used: Used): readonly Finding[] {
  const unused = proxied.filter((pattern) => coveredBy(pattern, used).length === 0);
  if (unused.length === 0) return [];
  const left = role.permissions.filter((pattern) => !unused.includes(pattern));
  const words = `${unused.length} of the ${role.permissions.length} permissions of the role ${role.name} ${unused.length === 1 ? 'was' : 'were'} not used: ${unused.join(', ')}.`;
  const evidence = evidenceOf(used, [`What was used: ${listed(used)}.`]);
  return [
    finding('permissions-unused', role, words, evidence, prepared.withPermissions(role, left)),
  ];
}

/** Patterns that cover more than what was used, where that can be named. */
function widePermissions(role: Role, proxied: readonly string[], used: Used): readonly Finding[] {
  const wide = proxied.filter((pattern) => pattern.includes('*'));
  const narrowed = wide.flatMap((pattern) => {
    const covered = coveredBy(pattern, used);
    return covered.length === 0 || covered.length > NARROWED_MAX ? [] : [{ pattern, covered }];
  });
  if (narrowed.length === 0) return [];
  const patterns = narrowed.map(({ pattern }) => pattern);
  const kept = role.permissions.filter((pattern) => !patterns.includes(pattern));
  const named = narrowed.flatMap(({ covered }) => covered);
  const permissions = [...new Set([...kept, ...named])];
  const details = narrowed.map(
    ({ pattern, covered }) => `${pattern} was used for ${covered.join(', ')} alone.`,
  );
  const words = `The role ${role.name} allows ${patterns.join(', ')}, and ${named.length === 1 ? '1 permission' : `${named.length} permissions`} of that ${named.length === 1 ? 'was' : 'were'} used.`;
  const change = prepared.withPermissions(role, permissions);
  return [finding('permissions-wide', role, words, evidenceOf(used, details), change)];
}

function coveredBy(pattern: string, used: Used): readonly string[] {
  const set = compilePermissions([pattern]);
  return [...used.keys()].filter((permission) => set.allows(permission)).sort();
}

function listed(used: Used): string {
  const names = [...used.keys()].sort();
  const more = names.length - NARROWED_MAX;
  return more > 0
    ? `${names.slice(0, NARROWED_MAX).join(', ')} and ${more} more`
    : names.join(', ');
}

function evidenceOf(used: Used, details: readonly string[]): Evidence {
  let calls = 0;
  let [first, last] = ['', ''];
  const samples: string[] = [];
  for (const uses of used.values()) {
    calls += uses.calls;
    if (first === '' || uses.first < first) first = uses.first;
    if (uses.last > last) last = uses.last;
    samples.push(...uses.samples);
  }
  return { calls, first, last, samples: samples.slice(0, 3), details };
}

/** Applications of a team that nobody called. */
export function adviceOnTeam(team: Team, use: RegistryUse, policy: Policy): readonly Finding[] {
  const unused = team.applications.filter((one) => !use.applications.has(one));
  if (unused.length === 0) return [];
  const words = `Nobody has called anything on ${unused.length} of the ${team.applications.length} applications of the team ${team.name}: ${unused.slice(0, NARROWED_MAX).join(', ')}${unused.length > NARROWED_MAX ? ` and ${unused.length - NARROWED_MAX} more` : ''}.`;
  const raised = [...(use.members.get(team.name)?.values() ?? [])].find(([inTeam, byDefault]) =>
    exceeds(policy.permissionsOf(byDefault), policy.permissionsOf(inTeam)),
  );
  const details =
    raised === undefined
      ? []
      : [
          `Without the team, a member that is ${raised[0]} in it would be ${raised[1]} there, which may do more: nothing is proposed.`,
        ];
  const change = raised === undefined ? prepared.withoutApplications(team, unused) : null;
  const target = { kind: 'team', name: team.name } as const;
  return [
    { kind: 'application-unused', target, words, evidence: { ...NO_CALLS, details }, change },
  ];
}

const NOTHING: Evidence = { ...NO_CALLS, details: [] };

function finding(
  kind: Finding['kind'],
  { name }: Role,
  words: string,
  evidence: Evidence,
  change: Finding['change'],
): Finding {
  return { kind, target: { kind: 'role', name }, words, evidence, change };
}
