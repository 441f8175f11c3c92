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
