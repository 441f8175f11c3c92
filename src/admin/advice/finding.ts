import type { Rehearsed } from '../operations/rehearsed.ts';

/** What can be worth a look, the worst first. */
export const FINDING_KINDS = [
  'role-narrower',
  'permissions-unused',
  'permissions-wide',
  'role-unused',
  'application-unused',
  'grant-unused',
  'membership-unused',
  'account-dormant',
  'token-old',
  'account-expiring',
] as const;

export type FindingKind = (typeof FINDING_KINDS)[number];

/** What was recorded. Times ISO 8601, UTC. */
export interface Evidence {
  readonly calls: number;
  readonly first: string | null;
  readonly last: string | null;
  /** Request ids of some of them. */
  readonly samples: readonly string[];
  /** One sentence each. */
  readonly details: readonly string[];
}

/** A change for review: nothing of it is made. */
export interface PreparedChange {
  /** As a command line. */
  readonly command: string;
  /** The operation and its input, to be held against the record or made; null: not of that kind. */
  readonly operation: Rehearsed | null;
  readonly input: Readonly<Record<string, unknown>> | null;
  /** For a file that `apply` takes; null: it cannot be declared. */
  readonly declaration: string | null;
}

export interface Finding {
  readonly kind: FindingKind;
  readonly target: { readonly kind: 'account' | 'role' | 'team'; readonly name: string };
  /** One sentence. */
  readonly words: string;
  readonly evidence: Evidence;
  /** Null: nothing can be proposed; `details` say why. */
  readonly change: PreparedChange | null;
}

export const NO_CALLS = { calls: 0, first: null, last: null, samples: [] } as const;
