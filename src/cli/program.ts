import { Command, CommanderError } from 'commander';
import { commandsFor } from './commands.ts';
import { EXIT } from './exit-code.ts';
import { version } from './version.ts';

/** A command is run whose output has forms. */
let isPrepared = false;

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
    const program = await createProgram(words);
    try {
      await program.parseAsync(words, { from: 'user' });
    } finally {
      await isRead();
    }
    return process.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    return await told(error);
  }
}

/** Until a person who reads by a pager has left it. */
async function isRead(): Promise<void> {
  if (isPrepared) await (await import('./screen/out.ts')).endPaging();
}

/** Every room has faults of its own: they are known once there is one. */
async function told(error: unknown): Promise<number> {
  const [{ failureOf }, { note }] = await Promise.all([
    import('./failure.ts'),
    import('./terminal.ts'),
  ]);
  const { code, lines } = failureOf(error);
  for (const line of lines) note(`sallyport: ${line}`);
  if (process.env.SALLYPORT_DEBUG === '1')
    note(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return code;
}

/**
 * @param words the command line: only the command that it names is loaded; null: every command is
 */
export async function createProgram(words: readonly string[] | null = null): Promise<Command> {
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
  for (const add of await commandsFor(words)) add(program);
  inherit(program);
  program.hook('preAction', async (_, command) => {
    if (!command.options.some((option) => option.attributeName() === 'output')) return;
    isPrepared = true;
    (await import('./prepare.ts')).prepare(command);
  });
  return program;
}

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
