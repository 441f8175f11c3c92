/**
 * Deployments and their states. Nothing ticks: a deployment remembers when it was started,
 * continued or aborted, and its state is worked out from the time at which somebody asks.
 *
 * saved -> running -> finished_successful, by time. On its way to production it stops half-way and
 * waits for somebody to continue it. Until it is finished it can be aborted, which takes a moment
 * too.
 */
export type DeploymentState =
  | 'saved'
  | 'running'
  | 'needs_user_intervention'
  | 'aborting'
  | 'aborted'
  | 'finished_successful';

export interface Deployment {
  readonly key: string;
  readonly applications: readonly string[];
  readonly source: string | null;
  readonly target: string;
  readonly notes: string;
  /** Whom the gate named in X-Account-Name. */
  readonly createdBy: string;
  readonly createdAtMs: number;
  readonly asksHalfWay: boolean;
  readonly startedBy: string | null;
  readonly startedAtMs: number | null;
  readonly continuedAtMs: number | null;
  readonly abortedAtMs: number | null;
}

/** How long the pretended work takes. */
export const PACE = { halfMs: 4_000, abortMs: 1_000 } as const;

export function stateAt(deployment: Deployment, nowMs: number): DeploymentState {
  const { startedAtMs, continuedAtMs, abortedAtMs } = deployment;
  if (abortedAtMs !== null) return nowMs - abortedAtMs < PACE.abortMs ? 'aborting' : 'aborted';
  if (startedAtMs === null) return 'saved';
  if (!deployment.asksHalfWay)
    return nowMs - startedAtMs < 2 * PACE.halfMs ? 'running' : 'finished_successful';
  if (nowMs - startedAtMs < PACE.halfMs) return 'running';
  if (continuedAtMs === null) return 'needs_user_intervention';
  return nowMs - continuedAtMs < PACE.halfMs ? 'running' : 'finished_successful';
}

export interface LogLine {
  readonly Instant: string;
  readonly Message: string;
}

/** What has happened so far, oldest first. */
export function logAt(deployment: Deployment, nowMs: number): readonly LogLine[] {
  const { createdAtMs, startedAtMs, continuedAtMs, abortedAtMs, applications, target } = deployment;
  const lines: [number | null, string][] = [
    [createdAtMs, `Plan saved by ${deployment.createdBy}`],
    [startedAtMs, `Started by ${deployment.startedBy ?? 'unknown'}`],
  ];
  if (startedAtMs !== null) {
    applications.forEach((application, index) => {
      lines.push([startedAtMs + 500 * (index + 1), `Preparing ${application} for ${target}`]);
    });
    if (deployment.asksHalfWay)
      lines.push([
        startedAtMs + PACE.halfMs,
        'Waiting for confirmation before production is touched',
      ]);
    const lastLegAtMs = deployment.asksHalfWay ? continuedAtMs : startedAtMs + PACE.halfMs;
    if (deployment.asksHalfWay) lines.push([continuedAtMs, 'Confirmed']);
    if (lastLegAtMs !== null) lines.push([lastLegAtMs + PACE.halfMs, `Deployed to ${target}`]);
  }
  const endMs = Math.min(nowMs, abortedAtMs ?? nowMs);
  const seen = lines.filter(
    (line): line is [number, string] => line[0] !== null && line[0] <= endMs,
  );
  if (abortedAtMs !== null) seen.push([abortedAtMs, 'Aborted']);
  return seen.map(([atMs, message]) => ({
    Instant: new Date(atMs).toISOString(),
    Message: message,
  }));
}

/** What can be asked of a deployment, and in which states. */
export const COMMANDS = {
  start: {
    from: ['saved'],
    apply: (d: Deployment, by: string, nowMs: number) => ({
      ...d,
      startedBy: by,
      startedAtMs: nowMs,
    }),
  },
  continue: {
    from: ['needs_user_intervention'],
    apply: (d: Deployment, _by: string, nowMs: number) => ({ ...d, continuedAtMs: nowMs }),
  },
  abort: {
    from: ['saved', 'running', 'needs_user_intervention'],
    apply: (d: Deployment, _by: string, nowMs: number) => ({ ...d, abortedAtMs: nowMs }),
  },
} as const satisfies Record<
  string,
  {
    from: readonly DeploymentState[];
    apply: (d: Deployment, by: string, nowMs: number) => Deployment;
  }
>;

/** Deployments in memory, the newest 500: when another one comes, the oldest goes. */
export class DeploymentBook {
  static readonly LIMIT = 500;
  readonly #byKey = new Map<string, Deployment>();
  #lastNumber = 1000;

  add(
    plan: Omit<Deployment, 'key' | 'startedBy' | 'startedAtMs' | 'continuedAtMs' | 'abortedAtMs'>,
  ): Deployment {
    const key = `dep-${++this.#lastNumber}`;
    const deployment: Deployment = {
      ...plan,
      key,
      startedBy: null,
      startedAtMs: null,
      continuedAtMs: null,
      abortedAtMs: null,
    };
    this.#byKey.set(key, deployment);
    const oldest = this.#byKey.keys().next().value;
    if (this.#byKey.size > DeploymentBook.LIMIT && oldest !== undefined) this.#byKey.delete(oldest);
    return deployment;
  }

  find(key: string): Deployment | null {
    return this.#byKey.get(key.toLowerCase()) ?? null;
  }

  replace(deployment: Deployment): void {
    this.#byKey.set(deployment.key, deployment);
  }

  remove(key: string): void {
    this.#byKey.delete(key);
  }

  /** Newest first. */
  all(): readonly Deployment[] {
    return [...this.#byKey.values()].reverse();
  }
}
