import { hash } from 'node:crypto';
import { turn } from '../turns.ts';
import type { AdminActor } from './actor.ts';
import type { AdminContext, ChangeContext } from './context.ts';
import { type DeclaredBy, planSteps, type Step } from './declaration.ts';
import type { Declaration } from './declaration-faults.ts';
import { AdminError } from './error.ts';
import { type Rehearsed, rehearsalOf } from './rehearsal.ts';

/** One change that would be made, or has been. */
export type DeclaredChange = Pick<Step, 'what' | 'target' | 'differences'>;

export interface CheckedDeclaration {
  /** What would be done, in this order: `role deployer`. */
  readonly changes: readonly string[];
  /** Names the plan: whoever has it made says which one was looked at. */
  readonly plan: string;
}

/** A declaration as it comes in: what is left out is empty. */
export interface DeclarationInput {
  readonly roles?: readonly (Partial<Declaration['roles'][number]> & Named)[];
  readonly teams?: readonly (Partial<Declaration['teams'][number]> & Named)[];
  readonly serviceAccounts?: Declaration['serviceAccounts'];
}

interface Named {
  readonly name: string;
}

/** The operations, on another store. */
export type OperationsOn = (context: ChangeContext) => DeclaredBy;

/**
 * Makes all changes of a declaration on a rehearsal of the registry, by the operations that make
 * them in earnest, with the rights of the actor. Throws what the first that is refused throws, with
 * its target: somebody who may not do it, nobody left who administers, a limit.
 */
export async function checkDeclaration(
  context: AdminContext,
  actor: AdminActor,
  input: DeclarationInput,
  on: OperationsOn,
): Promise<CheckedDeclaration> {
  const steps = await rehearse(context, actor, input, on, true);
  return { changes: steps.map(({ target }) => target), plan: planOf(steps) };
}

/** A step, with the changes that it comes to. */
export interface RehearsedStep extends DeclaredChange {
  readonly made: readonly Rehearsed[];
}

/** @param isUnchanged nothing of it was made yet: what is refused says so */
export async function rehearse(
  { store, clock, instance }: AdminContext,
  actor: AdminActor,
  input: DeclarationInput,
  on: OperationsOn,
  isUnchanged: boolean,
): Promise<readonly RehearsedStep[]> {
  let made: Rehearsed[] = [];
  const rehearsed = { store: rehearsalOf(store, (one) => made.push(one)), clock, instance };
  const steps = await planSteps(on(rehearsed), actor, wholeOf(input));
  const done: RehearsedStep[] = [];
  for (const { what, target, differences, run } of steps) {
    made = [];
    await run().catch((error: unknown) => {
      throw error instanceof AdminError ? refusedAt(target, error, isUnchanged) : error;
    });
    done.push({ what, target, differences, made });
    await turn();
  }
  return done;
}

function refusedAt(target: string, cause: AdminError, isUnchanged: boolean): AdminError {
  const { code, message, faults, users } = cause;
  const said = `${isUnchanged ? 'nothing was changed: ' : ''}${target}: ${message}`;
  return new AdminError(code, said, { faults, users, cause });
}

export function planOf(steps: readonly DeclaredChange[]): string {
  const said = steps.map(({ what, target, differences }) => [what, target, differences]);
  return hash('sha256', JSON.stringify(said), 'base64url');
}

function wholeOf({ roles = [], teams = [], serviceAccounts = [] }: DeclarationInput): Declaration {
  return {
    roles: roles.map((role) => ({ description: '', permissions: [], ...role })),
    teams: teams.map((team) => ({ description: '', applications: [], ...team })),
    serviceAccounts,
  };
}
