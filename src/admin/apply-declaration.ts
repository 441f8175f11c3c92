import type { AdminActor } from './actor.ts';
import {
  type DeclarationInput,
  type DeclaredChange,
  type OperationsOn,
  planOf,
  type RehearsedStep,
  rehearse,
} from './check-declaration.ts';
import { type AdminContext, RECEIPT_WAIT, type Receipted } from './context.ts';
import { AdminError, type AdminErrorCode } from './error.ts';
import { writeTogether } from './together.ts';

export interface ApplyInput extends DeclarationInput {
  /** The plan that was looked at: where it is another one by now, nothing is changed. */
  readonly plan?: string;
  readonly waitMs?: number;
}

export interface AppliedDeclaration extends Receipted {
  readonly applied: readonly DeclaredChange[];
  /**
   * Not known to be made, because of the fault: the next run goes on with them. With `unavailable`
   * the answer of the store may be lost, and the change made.
   */
  readonly notApplied: readonly DeclaredChange[];
  readonly fault: { readonly code: AdminErrorCode; readonly message: string } | null;
}

/**
 * Makes roles, teams and service accounts what is declared. All of it is computed and judged before
 * anything is written (`rehearse`), and 256 changes at a time are written in one step: a
 * declaration of no more than that is applied whole or not at all. Of a longer one, what was and
 * was not applied is told. Throws where nothing was changed.
 */
export async function applyDeclaration(
  context: AdminContext,
  actor: AdminActor,
  { plan, waitMs = RECEIPT_WAIT.defaultMs, ...declared }: ApplyInput,
  on: OperationsOn,
): Promise<AppliedDeclaration> {
  const written = await writeTogether(context, waitMs, async (isUntouched) => {
    const steps = await rehearse(context, actor, declared, on, isUntouched);
    if (isUntouched && plan !== undefined && planOf(steps) !== plan)
      throw new AdminError(
        'stale',
        'nothing was changed: the registry has been changed since the plan was made; look again',
      );
    return steps;
  });
  const { applied, notApplied, fault, revocation } = written;
  return {
    applied: applied.map(told),
    notApplied: notApplied.map(told),
    fault: fault === null ? null : { code: fault.code, message: fault.message },
    ...(revocation === undefined ? {} : { revocation }),
  };
}

function told({ what, target, differences }: RehearsedStep): DeclaredChange {
  return { what, target, differences };
}
