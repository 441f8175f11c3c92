import type { Commit } from '../registry/commit.ts';
import { turn } from '../turns.ts';
import { passed } from './approvals/hold.ts';
import { ApprovalNeeded, plural } from './approvals/rule.ts';
import { reading, receipt, writing } from './change.ts';
import type { ChangeContext, Receipted } from './context.ts';
import { AdminError } from './error.ts';
import { joinedCommit, keyOf } from './joined-commit.ts';
import type { Rehearsed } from './rehearsal.ts';

/** What is made whole or not at all: the changes of one step. */
export interface Together {
  readonly made: readonly Rehearsed[];
}

export interface Written<Step> extends Receipted {
  readonly applied: readonly Step[];
  /** Not known to be made, because of the fault: with `unavailable` its answer may be lost. */
  readonly notApplied: readonly Step[];
  readonly fault: AdminError | null;
}

/**
 * Changes in one step of the store. A store makes one step at a time, and a gate that keeps its own
 * does nothing else meanwhile.
 */
const CHANGES_MAX = 256;
/** Plans that are made anew because others were faster. */
const ATTEMPTS = 10;

/**
 * Writes what has been rehearsed, 256 changes at a time in one step: no more than that is made
 * whole or not at all. Where others were faster the rest is planned anew. Throws where nothing was
 * changed; else the fault that ended it is told with what was and was not made.
 *
 * @param plan what is left to do, from what the store holds now; untouched: nothing of it was made
 */
export async function writeTogether<Step extends Together>(
  context: ChangeContext,
  waitMs: number,
  plan: (isUntouched: boolean) => Promise<readonly Step[]>,
): Promise<Written<Step>> {
  const run = new Run<Step>(context, waitMs);
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1)
      if (await run.toEnd(await plan(run.applied.length === 0))) return run.written(null);
    throw new AdminError('conflict', 'others keep changing the same records; try again');
  } catch (error) {
    if (!(error instanceof AdminError) || run.applied.length === 0) throw error;
    return run.written(error);
  }
}

class Run<Step extends Together> {
  readonly #context: ChangeContext;
  readonly #waitMs: number;
  readonly applied: Step[] = [];
  #left: readonly Step[] = [];
  #revocation: Receipted = {};

  constructor(context: ChangeContext, waitMs: number) {
    this.#context = context;
    this.#waitMs = waitMs;
  }

  /** False: somebody else has changed what this was computed from. */
  async toEnd(steps: readonly Step[]): Promise<boolean> {
    const versions = new Map<string, number>();
    this.#left = steps;
    await this.#mustPassWhole(steps);
    while (this.#left.length > 0) {
      await turn();
      const slice = this.#left.slice(0, sliceOf(this.#left));
      if (!(await this.#write(slice, versions))) return false;
      this.applied.push(...slice);
      this.#left = this.#left.slice(slice.length);
    }
    return true;
  }

  /** What is not one step cannot wait for approval: nothing of it is made then. */
  async #mustPassWhole(steps: readonly Step[]): Promise<void> {
    if (this.applied.length === 0 && sliceOf(steps) === steps.length) return;
    const commits = steps.flatMap(({ made }) => made.map(({ commit }) => commit));
    if (!isFilled(commits)) return;
    const whole = joinedCommit(commits, () => undefined);
    await reading(() => passed(this.#context, whole)).catch((error: unknown) => {
      throw error instanceof ApprovalNeeded ? tooLargeToWait(error) : error;
    });
  }

  async #write(steps: readonly Step[], versions: Map<string, number>): Promise<boolean> {
    const made = steps.flatMap((step) => step.made);
    const commits = made.map(({ commit }) => commit);
    if (!isFilled(commits)) return true;
    const { clock } = this.#context;
    const commit = joinedCommit(commits, (key) => versions.get(key));
    const sentMs = clock.monotonicMs();
    const unchanged = this.applied.length > 0 ? 'the rest was not changed' : undefined;
    const result = await writing(this.#context, commit, unchanged);
    if (!result.committed) return false;
    for (const change of commit.changes) versions.set(keyOf(change), result.seq);
    // Whoever has applied this change has applied all before it.
    if (made.some(({ takesAway }) => takesAway))
      this.#revocation = { revocation: await receipt(this.#context, result, this.#waitMs, sentMs) };
    return true;
  }

  written(fault: AdminError | null): Written<Step> {
    return { applied: this.applied, notApplied: this.#left, fault, ...this.#revocation };
  }
}

function tooLargeToWait({ roles }: ApprovalNeeded): AdminError {
  return new AdminError(
    'invalid',
    `this concerns the protected ${plural('role', roles)} ${roles.join(', ')}, and more than ` +
      `${CHANGES_MAX} changes are too large to wait for approval: make those that concern ` +
      `${roles.length === 1 ? 'it' : 'them'} by themselves first`,
  );
}

function isFilled(commits: readonly Commit[]): commits is readonly [Commit, ...Commit[]] {
  return commits.length > 0;
}

/** Steps of one slice: as many as there may be, one at least. */
function sliceOf(steps: readonly Together[]): number {
  let changes = 0;
  const over = steps.findIndex(({ made }) => {
    changes += made.length;
    return changes > CHANGES_MAX;
  });
  return over === -1 ? steps.length : Math.max(1, over);
}
