import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { addAccountCommands } from './account.ts';
import { addActivityCommands } from './activity.ts';
import { addApplyCommand } from './apply.ts';
import { addAuditCommands } from './audit.ts';
import { addCheckCommand } from './check.ts';
import { addCompletionCommand } from './completion.ts';
import { addDevCommand } from './dev.ts';
import { EXIT, failureOf } from './exit.ts';
import { addExplainCommand } from './explain.ts';
import { addHealthcheckCommand } from './healthcheck.ts';
import { addInstancesCommand } from './instances.ts';
import { addRegistryCommands } from './registry.ts';
import { addRoleCommands } from './role.ts';
import { addSampleCommand } from './sample.ts';
import { addServeCommand } from './serve.ts';
import { addTeamCommands } from './team.ts';
import { note } from './terminal.ts';
import { addTokenCommands } from './token.ts';
import { addUserCommands } from './user.ts';
import { addWhoCanCommand } from './who-can.ts';

/**
 * Runs one command line (without `node` and the script) and answers the exit code. Never throws.
 */
export async function run(words: readonly string[]): Promise<number> {
  // `sallyport account list | head` is no fault of anybody.
  process.stdout.on('error', (error: NodeJS.ErrnoException) =>
    process.exit(error.code === 'EPIPE' ? EXIT.done : EXIT.refused),
  );
  process.exitCode = EXIT.done;
  try {
    await createProgram().parseAsync(words, { from: 'user' });
    return process.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    const failure = failureOf(error);
    for (const line of failure.lines) note(`sallyport: ${line}`);
    if (process.env.SALLYPORT_DEBUG === '1')
      note(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return failure.code;
  }
}

export function createProgram(): Command {
  const program = new Command('sallyport')
    .description(
      'The gate in front of your APIs that lets in the machines you know, and only those.',
    )
    .version(version(), '--version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help for a command')
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: false })
    .exitOverride()
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 refused or not found, 2 wrong usage or configuration, 3 store or server unreachable.',
    );
  for (const add of COMMANDS) add(program);
  inherit(program);
  return program;
}

const COMMANDS: readonly ((program: Command) => void)[] = [
  addDevCommand,
  addServeCommand,
  addCheckCommand,
  addAccountCommands,
  addRoleCommands,
  addTeamCommands,
  addUserCommands,
  addTokenCommands,
  addActivityCommands,
  addAuditCommands,
  addApplyCommand,
  addRegistryCommands,
  addExplainCommand,
  addWhoCanCommand,
  addInstancesCommand,
  addSampleCommand,
  addHealthcheckCommand,
  addCompletionCommand,
];

/**
 * Commander passes settings down when a subcommand is made, and ours are made by the rooms: none
 * may exit the process by itself.
 */
function inherit(command: Command): void {
  for (const child of command.commands) {
    child.copyInheritedSettings(command);
    inherit(child);
  }
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
