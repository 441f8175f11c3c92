/**
 * What one check found. A warning does not make the instance unready: it says what somebody should
 * look at.
 */
export type CheckResult =
  | { readonly state: 'ok' }
  | { readonly state: 'warning'; readonly why: string }
  | { readonly state: 'failed'; readonly why: string };

export interface Check {
  /** One word, as operators will search for it: `registry`, `audit`, `draining`, `config`. */
  readonly name: string;
  /**
   * Synchronous: what the parts know already. A probe must not cost a round trip, nor wait for one.
   */
  result(): CheckResult;
}

export interface Readiness {
  readonly ready: boolean;
  readonly checks: readonly ({ readonly name: string } & CheckResult)[];
}

/** Runs all checks. One that throws has failed: an instance that does not know is not ready. */
export function assessReadiness(checks: readonly Check[]): Readiness {
  const results = checks.map((check) => ({ name: check.name, ...resultOf(check) }));
  return { ready: results.every((one) => one.state !== 'failed'), checks: results };
}

function resultOf(check: Check): CheckResult {
  try {
    return check.result();
  } catch {
    return { state: 'failed', why: 'the check itself failed' };
  }
}

/** A check that is ok as long as `why` returns null, and fails with its reason otherwise. */
export function checkOf(name: string, why: () => string | null): Check {
  return {
    name,
    result() {
      const problem = why();
      return problem === null ? { state: 'ok' } : { state: 'failed', why: problem };
    },
  };
}
