import type { Command } from 'commander';

type Add = (program: Command) => void;

/**
 * What adds the commands, by the word that a command line begins with; in the order in which help
 * shows them. Each is loaded when it is asked for: a gate that starts has no use for the
 * administration.
 */
const COMMANDS: ReadonlyMap<string, () => Promise<Add>> = new Map([
  ['dev', async () => (await import('./dev.ts')).addDevCommand],
  ['serve', async () => (await import('./serve.ts')).addServeCommand],
  ['check', async () => (await import('./check.ts')).addCheckCommand],
  ['account', async () => (await import('./account.ts')).addAccountCommands],
  ['role', async () => (await import('./role.ts')).addRoleCommands],
  ['team', async () => (await import('./team.ts')).addTeamCommands],
  ['user', async () => (await import('./user.ts')).addUserCommands],
  ['token', async () => (await import('./token.ts')).addTokenCommands],
  ['activity', async () => (await import('./activity.ts')).addActivityCommands],
  ['audit', async () => (await import('./audit.ts')).addAuditCommands],
  ['apply', async () => (await import('./apply.ts')).addApplyCommand],
  ['registry', async () => (await import('./registry.ts')).addRegistryCommands],
  ['explain', async () => (await import('./explain.ts')).addExplainCommand],
  ['who-can', async () => (await import('./who-can.ts')).addWhoCanCommand],
  ['instances', async () => (await import('./instances.ts')).addInstancesCommand],
  ['sample', async () => (await import('./sample.ts')).addSampleCommand],
  ['healthcheck', async () => (await import('./healthcheck.ts')).addHealthcheckCommand],
  ['completion', async () => (await import('./completion.ts')).addCompletionCommand],
]);

/** Looks at all commands, and so needs them. */
const LOOKS_AT_ALL = 'completion';

/**
 * What a command line that begins with this word needs: the one command that it names, else all,
 * for help and for what is meant by a word that none has.
 */
export function commandsFor(word: string | undefined): Promise<readonly Add[]> {
  const named = word === undefined || word === LOOKS_AT_ALL ? undefined : COMMANDS.get(word);
  return Promise.all(
    (named === undefined ? [...COMMANDS.values()] : [named]).map((load) => load()),
  );
}
