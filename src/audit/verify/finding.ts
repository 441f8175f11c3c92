/** What can be wrong with a log. The first four are gaps, the others edits. */
export const FINDING_KINDS = [
  'missing',
  'truncated',
  'lost',
  'anchor-missing',
  'changed',
  'reordered',
  'duplicated',
  'inserted',
  'forked',
  'foreign-key',
  'head-replaced',
  'anchor-false',
  'unreadable',
] as const;

export type FindingKind = (typeof FINDING_KINDS)[number];

const GAPS: ReadonlySet<FindingKind> = new Set(['missing', 'truncated', 'lost', 'anchor-missing']);

/** One hole, or one edit. */
export interface Finding {
  readonly kind: FindingKind;
  /** Null: of no instance that can be named. */
  readonly instance: string | null;
  /** Numbers concerned, both included; null: none can be named. */
  readonly firstSeq: number | null;
  readonly lastSeq: number | null;
  /** Of the event concerned, or of the last one before the hole; null: not known. */
  readonly time: string | null;
  /** One sentence for people. */
  readonly message: string;
}

export function isGap({ kind }: Pick<Finding, 'kind'>): boolean {
  return GAPS.has(kind);
}

/** Numbers as people say them. */
export function numbers(first: number, last: number): string {
  return first === last ? `event ${first}` : `events ${first} to ${last}`;
}

/** Numbers that are not there, and that nothing accounts for. */
export function missingOf(
  instance: string,
  { first, last, time }: { first: number; last: number; time: string | null },
): Finding {
  const after = time === null ? '' : `, after ${time}`;
  const are = first === last ? 'is' : 'are';
  const message = `${numbers(first, last)} of ${instance} ${are} missing${after}`;
  return { kind: 'missing', instance, firstSeq: first, lastSeq: last, time, message };
}

/** Numbers of which somebody says that no log will hold them. */
export function lostOf(
  instance: string,
  { first, last, time }: { first: number; last: number; time: string | null },
  { reason, by }: { reason: string; by: string },
): Finding {
  const who = by === instance ? 'the instance itself' : `${by}, which took over what it left,`;
  const message = `${numbers(first, last)} of ${instance} lost (${reason}), as ${who} says`;
  return { kind: 'lost', instance, firstSeq: first, lastSeq: last, time, message };
}

/** First and last of each run of numbers that follow on each other. */
export function runsOf(sorted: readonly number[]): { first: number; last: number }[] {
  const runs: { first: number; last: number }[] = [];
  for (const seq of sorted) {
    const run = runs.at(-1);
    if (run !== undefined && seq <= run.last + 1) run.last = Math.max(run.last, seq);
    else runs.push({ first: seq, last: seq });
  }
  return runs;
}
