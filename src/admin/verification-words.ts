import type { AuditVerification } from './verify-audit.ts';

/** What nobody can prove who has nothing but the store. */
export const WITHOUT_TRUST =
  'whoever can write to the store could have replaced both events and keys, ' +
  'or taken away instances as a whole.';

/** What a trust file cannot speak of. */
const SINCE_TRUST =
  'What came after the heads of the trust file, and who began since, can be taken away as a whole.';

/** The result in one line. */
export function resultWords({ gaps, edits, events, instances }: AuditVerification): string {
  return `${gaps} gaps, ${edits} edits in ${events} events; instances: ${instances}`;
}

/** What a chain does not prove of this log, one sentence each. */
export function limitsOf(result: AuditVerification): readonly string[] {
  const { unchained, uncovered, unsigned, unproven, unhashed, unwitnessed, unverified } = result;
  const { changes, elsewhere, trimmedBefore, goneOutcomes, goneMeanwhile } = result;
  const lines = [
    [unchained, 'are of instances that write no chain: only their numbers were looked at'],
    [uncovered, 'come after the last link of their instance: no chain speaks of them yet'],
    [
      unsigned,
      'come after the last signed head of their instance: anybody could have written them',
    ],
    [unproven, 'stand beside a hole: what is left there cannot be proved'],
    [unhashed, 'stand where the record was cut: they are numbered, and no hash holds them alone'],
    [unwitnessed, 'have no number, and whoever wrote them ended before it vouched for them'],
    [goneOutcomes, 'have no number, are vouched for and not there: cut, or not in what was read'],
    [goneMeanwhile, 'went while the record was read, and retention has signed that they were due'],
    [unverified, 'are heads whose key is not in what was read: --trust proves who signed them'],
    [elsewhere, 'between them are not in the spool: it lacks what the store has accepted at once'],
    [changes, 'are administrative changes: no chain holds them'],
  ] as const;
  const said = lines.flatMap(([count, what]) => (count > 0 ? [`${count} events ${what}.`] : []));
  if (trimmedBefore !== null)
    said.push(`Retention has signed that it cuts what was accepted before ${trimmedBefore}.`);
  if (result.trusted) said.push(SINCE_TRUST);
  return [...said, ...frontsOf(result), ...changesWords(result)];
}

/** Changes are numbered by the registry, and signed by nobody. */
function changesWords({ registry }: AuditVerification): readonly string[] {
  if (registry === null) return [];
  const { first, newest, events, unnumbered } = registry;
  const unproved =
    'Nothing signs their text: whoever can write to the registry can change it, ' +
    'or take away the oldest, as retention does.';
  if (first === null) {
    const what =
      newest > 0 || events === 0
        ? `No numbered administrative change of ${newest} is there.`
        : `${unnumbered} administrative changes have no number.`;
    return [`${what} ${unproved}`];
  }
  const numbered = events - unnumbered;
  const earlier = unnumbered > 0 ? ` and ${unnumbered} that an earlier version did not number` : '';
  return [
    `${numbered} administrative changes, numbers ${first} to ${newest}${earlier}. ${unproved}`,
  ];
}

/** Where a log begins later, and nothing signed tells why. */
function frontsOf({ fronts, unanchored }: AuditVerification): readonly string[] {
  const lines = fronts.map(
    ({ instance, firstSeq }) =>
      `Events before ${firstSeq} of ${instance} are not there: ` +
      'retention, or somebody, has taken them, or the export begins later.',
  );
  const more = unanchored - fronts.length;
  return more > 0 ? [...lines, `So it is of ${more} instances more.`] : lines;
}
