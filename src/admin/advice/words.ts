import { plural } from '../plural.ts';
import type { Advice } from './advise.ts';
import type { Evidence, FindingKind } from './finding.ts';

/** What a kind of finding is about, as a heading. */
export const KIND_WORDS: Readonly<Record<FindingKind, string>> = {
  'role-narrower': 'A narrower role would do',
  'permissions-unused': 'Permissions that were not used',
  'permissions-wide': 'Patterns of which little was used',
  'role-unused': 'Roles that let nothing in',
  'application-unused': 'Applications that nobody called',
  'grant-unused': 'Grants that were not used',
  'membership-unused': 'Memberships that were not used',
  'account-dormant': 'Accounts that were not let in',
  'token-old': 'Old tokens',
  'account-expiring': 'Accounts that expire and call',
};

/** One sentence about what speaks for a finding; empty where it is that there were no calls. */
export function evidenceWords({ calls, first, last, samples }: Evidence): string {
  if (calls === 0 || first === null || last === null) return '';
  const when = `from ${minute(first)} to ${minute(last)} UTC`;
  const [sample] = samples;
  return `${plural(calls, 'call')}, ${when}${sample === undefined ? '' : `; for example request ${sample}`}.`;
}

/** How much was found, and how far that reaches. */
export function adviceWords({
  items,
  counts,
  accountsCut,
  damaged,
  tooShort,
  changed,
  window,
}: Advice): readonly string[] {
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const { calls, examined, unreadable, cutShort } = window;
  return [
    `${plural(all, 'finding')} by ${plural(calls, 'call')} in ${plural(examined, 'event')}.`,
    ...(items.length < all ? [`At most 50 of each kind are named: ${items.length} in all.`] : []),
    ...(accountsCut
      ? ['There are more accounts than advice looks at, so unused roles and teams are not named.']
      : []),
    ...(damaged > 0
      ? [
          `${plural(damaged, 'account')} cannot be read and may use anything, so unused roles and teams are not named.`,
        ]
      : []),
    ...changedWords(changed),
    ...(unreadable > 0 && !tooShort
      ? [
          'Recorded calls that cannot be read may have used anything, so what was not used is not named.',
        ]
      : []),
    ...(tooShort
      ? [
          `Less than a day ${cutShort === 'too-many-kinds' ? 'was looked at' : 'is on record'}, so what was not used is not named.`,
        ]
      : []),
  ];
}

/** A gate of an earlier version does not count them. */
function changedWords(changed: Advice['changed'] | undefined): readonly string[] {
  const named = (['accounts', 'roles', 'teams'] as const).flatMap((kind) => {
    const count = changed?.[kind] ?? 0;
    return count === 0 ? [] : [plural(count, kind.slice(0, -1))];
  });
  return named.length === 0
    ? []
    : [
        `Made or given other rights in that time: ${named.join(', ')}. What they did not use is not said, because it may have been given since.`,
      ];
}

function minute(at: string): string {
  return at.slice(0, 16).replace('T', ' ');
}
