/**
 * `unsafe`: a promise does not hold as it stands · `note`: worth knowing, and no promise depends on
 * it · `unverified`: could not be looked at, so nothing is said about it
 */
export interface Finding {
  readonly severity: 'unsafe' | 'note' | 'unverified';
  /** Address of the server, or the name of an upstream; null = of all of Redis. */
  readonly server: string | null;
  /** What was found. */
  readonly found: string;
  /** What that means for whom, and what to do. */
  readonly means: string;
}

export interface FindingContext {
  readonly leaseMs: number;
  /** Whether this configuration is meant to change the registry. */
  readonly administers: boolean;
  /** Whether a route exchanges tokens. */
  readonly renewsTokens: boolean;
  /** What this Redis holds, where the audit has one of its own. Default: both. */
  readonly holds?: 'registry' | 'audit' | 'both';
  /** Whether events hold addresses of clients as hashes. Default: they do not. */
  readonly hashesAddresses?: boolean;
  /** Whether an upstream is told by assertions who calls. Default: none is. */
  readonly signsAssertions?: boolean;
}
