import { turn } from '../turns.ts';
import { showAccount } from './accounts.ts';
import type { AdminActor } from './actor.ts';
import type { AdminContext } from './context.ts';
import { type DeclaredBy, planSteps } from './declaration.ts';
import type { Declaration } from './declaration-faults.ts';
import { declareServiceAccount } from './declared-account.ts';
import { AdminError } from './error.ts';
import { rehearsalOf } from './rehearsal.ts';
import { createRole, editRole, listRoles } from './roles.ts';
import { createTeam, editTeam, listTeams } from './teams.ts';

export interface CheckedDeclaration {
  /** What would be done, in this order: `role deployer`. */
  readonly changes: readonly string[];
}

/**
 * Makes all changes of a declaration on a rehearsal of the registry, by the operations that make
 * them in earnest, with the rights of the actor. Throws what the first that is refused throws, with
 * its target: somebody who may not do it, nobody left who administers, a limit.
 */
export async function checkDeclaration(
  context: AdminContext,
  actor: AdminActor,
  { roles = [], teams = [], serviceAccounts = [] }: Partial<Declaration>,
): Promise<CheckedDeclaration> {
  const rehearsed = { store: rehearsalOf(context.store), clock: context.clock, instance: null };
  const steps = await planSteps(operationsOn(rehearsed), actor, { roles, teams, serviceAccounts });
  for (const { target, run } of steps) {
    try {
      await run();
    } catch (error) {
      if (!(error instanceof AdminError)) throw error;
      const { code, message, faults, users } = error;
      const more = { faults, users, cause: error };
      throw new AdminError(code, `nothing was changed: ${target}: ${message}`, more);
    }
    await turn();
  }
  return { changes: steps.map(({ target }) => target) };
}

function operationsOn(context: AdminContext): DeclaredBy {
  return {
    listRoles: (actor) => listRoles(context, actor),
    listTeams: (actor) => listTeams(context, actor),
    showAccount: (actor, ref) => showAccount(context, actor, ref),
    createRole: (actor, input) => createRole(context, actor, input),
    editRole: (actor, input) => editRole(context, actor, input),
    createTeam: (actor, input) => createTeam(context, actor, input),
    editTeam: (actor, input) => editTeam(context, actor, input),
    declareServiceAccount: (actor, input) => declareServiceAccount(context, actor, input),
  };
}
