import { Command, type Option } from 'commander';
import { leaf } from '../../src/cli/options.ts';
import { createProgram } from '../../src/cli/program.ts';

const INTRODUCTION = `# Command line

Every command, made of the program itself: \`sallyport help COMMAND\` says the same. In a clone it is
\`npx --no-install sallyport\`.

Exit codes: 0 done, 1 refused or not found, 2 wrong usage or configuration, 3 store or server
unreachable. [On the command line](COMMAND-LINE.md) says what \`-o\`, \`--watch\`, \`--context\` and the
pager do.

## Options of most commands

`;

/** The reference of the command line, in Markdown. */
export async function commandsPage(): Promise<string> {
  const program = await createProgram();
  // Said once: what every `leaf` takes.
  const options = leaf(new Command(), 'any', '').options;
  const shared = new Map(options.map((option) => [option.long ?? '', option]));
  const chapters = program.commands.map((command) => {
    const leaves = leavesOf(command, `sallyport ${command.name()}`);
    const lead = command.commands.length === 0 ? '' : `${sentence(command)}\n\n`;
    return `## ${command.name()}\n\n${lead}${leaves.map((one) => chapterOf(...one, shared)).join('\n')}`;
  });
  return `${INTRODUCTION}${tableOf(options)}\n${chapters.join('\n')}`;
}

function leavesOf(command: Command, path: string): readonly (readonly [Command, string])[] {
  if (command.commands.length === 0) return [[command, path]];
  return command.commands.flatMap((child) => leavesOf(child, `${path} ${child.name()}`));
}

function chapterOf(command: Command, path: string, shared: ReadonlyMap<string, Option>): string {
  const help = command.createHelp();
  const own = help
    .visibleOptions(command)
    .filter(
      ({ long, description }) =>
        long !== '--help' && shared.get(long ?? '')?.description !== description,
    );
  const takes = help
    .visibleOptions(command)
    .flatMap(({ long, description }) =>
      shared.get(long ?? '')?.description === description ? [`\`${long}\``] : [],
    );
  const usage = `${path} ${command.usage().replace('[options]', '').trim()}`.trim();
  return [
    `### \`${usage}\``,
    sentence(command),
    own.length === 0 ? '' : tableOf(own),
    takes.length === 0 ? '' : `Also ${takes.join(', ')}.`,
    examplesOf(command),
  ]
    .filter((part) => part !== '')
    .join('\n\n')
    .concat('\n');
}

function sentence(command: Command): string {
  const text = command.description();
  if (text === '') return '';
  return `${escaped(text[0]!.toUpperCase() + text.slice(1))}${text.endsWith('.') ? '' : '.'}`;
}

function tableOf(options: readonly Option[]): string {
  const rows = options.map(
    (option) => `| \`${option.flags.replaceAll('|', '\\|')}\` | ${meaningOf(option)} |`,
  );
  return `| option | what it does |\n| --- | --- |\n${rows.join('\n')}\n`;
}

function meaningOf({ description, argChoices, mandatory, defaultValue }: Option): string {
  const facts = [
    ...(mandatory ? ['needed'] : []),
    ...(argChoices === undefined ? [] : [argChoices.map((one) => `\`${one}\``).join(', ')]),
    ...(defaultValue === undefined || defaultValue === false
      ? []
      : [`default \`${defaultValue}\``]),
  ];
  return `${escaped(description)}${facts.length === 0 ? '' : ` (${facts.join('; ')})`}`;
}

/** What follows the options in a command's help, as a block of code. */
function examplesOf(command: Command): string {
  let text = '';
  const write = (more: string) => {
    text += more;
  };
  // What `addHelpText` has added is only told to whoever shows the help.
  (command as Command & NodeJS.EventEmitter).emit('afterHelp', { error: false, command, write });
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  if (lines[0]?.trim() !== 'Examples:') return lines.length === 0 ? '' : escaped(lines.join(' '));
  return `\`\`\`sh\n${lines
    .slice(1)
    .map((line) => line.trim())
    .join('\n')}\n\`\`\``;
}

/** Text that is no Markdown. */
function escaped(text: string): string {
  return text.replace(/[\\|<>*_[\]]/g, (character) => `\\${character}`);
}
