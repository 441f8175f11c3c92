import type { Argument, Command, Option } from 'commander';

/** Names that are looked up at the moment at which somebody asks for them. */
export const NAMED = [
  'account',
  'user',
  'role',
  'team',
  'application',
  'instance',
  'context',
] as const;
export type Named = (typeof NAMED)[number];

/** What may follow an option, or stand in the place of an argument. */
export type Expected =
  | { readonly kind: 'text' }
  | { readonly kind: 'file' }
  | { readonly kind: 'names'; readonly of: Named }
  | { readonly kind: 'words'; readonly words: readonly string[] };

export interface CompletedOption {
  /** `-f` and `--follow`, as far as there are both. */
  readonly flags: readonly string[];
  readonly summary: string;
  /** Null: it takes no value. */
  readonly value: Expected | null;
}

/** One command, as a shell needs to know it. */
export interface CompletedCommand {
  /** Words after the program's name: `account list`; empty for the program itself. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly summary: string }[];
  readonly options: readonly CompletedOption[];
  /** Of the first argument; null where there is none. */
  readonly argument: Expected | null;
}

/**
 * Every command of the program. Read from the commands themselves, so that what is completed is
 * what there is.
 */
export function completionTree(program: Command): readonly CompletedCommand[] {
  return commandsFrom(program, '', null);
}

function commandsFrom(
  command: Command,
  path: string,
  parent: Command | null,
): readonly CompletedCommand[] {
  const help = command.createHelp();
  const children = help.visibleCommands(command);
  const argument = command.registeredArguments[0];
  const described = {
    path,
    commands: children.map((child) => ({
      name: child.name(),
      summary: child.summary() || child.description(),
    })),
    options: help.visibleOptions(command).map(optionOf),
    argument:
      argument === undefined
        ? null
        : isHelp(command, parent)
          ? siblings(parent)
          : expected(argument, subjectOf(path, argument.name())),
  };
  return [
    described,
    ...children.flatMap((child) => commandsFrom(child, `${path} ${child.name()}`.trim(), command)),
  ];
}

/** The help command is commander's own: it is in the help and not among the commands. */
function isHelp(command: Command, parent: Command | null): parent is Command {
  return parent !== null && command.name() === 'help' && !parent.commands.includes(command);
}

function siblings(parent: Command): Expected {
  return { kind: 'words', words: parent.commands.map((command) => command.name()) };
}

function optionOf(option: Option): CompletedOption {
  const flags = [option.short, option.long].filter((flag) => typeof flag === 'string');
  const takesValue = option.required || option.optional;
  const said = /[<[]([^>\]]+)/.exec(option.flags)?.[1] ?? '';
  const named = NAMED.find((one) => option.long === `--${one}`);
  const name = said === 'name' && named !== undefined ? named : said;
  return { flags, summary: option.description, value: takesValue ? expected(option, name) : null };
}

/** Commands whose `<name>` is that of something that there is, by their first word. */
const SUBJECTS: Readonly<Record<string, Named>> = {
  account: 'account',
  activity: 'account',
  user: 'user',
  role: 'role',
  team: 'team',
};

/** What an argument names: a `<name>` that is not yet taken names nothing. */
function subjectOf(path: string, argument: string): string {
  const [first = '', second = ''] = path.split(' ');
  if (argument !== 'name' || second === 'create' || second === 'add') return argument;
  return SUBJECTS[first] ?? argument;
}

/** A value that calls itself a file, or one of what is named, is completed as that. */
function expected({ argChoices }: Pick<Option | Argument, 'argChoices'>, name: string): Expected {
  if (argChoices !== undefined) return { kind: 'words', words: argChoices };
  const of = NAMED.find((one) => one === name);
  if (of !== undefined) return { kind: 'names', of };
  return { kind: /^(?:file|folder)$/.test(name) ? 'file' : 'text' };
}

/** `'account list --status'` and what may follow: options with a value, the same for all shells. */
export function valuedOptions(
  tree: readonly CompletedCommand[],
): readonly { readonly key: string; readonly value: Expected }[] {
  return tree.flatMap(({ path, options }) =>
    options.flatMap(({ flags, value }) =>
      value === null ? [] : flags.map((flag) => ({ key: `${path} ${flag}`, value })),
    ),
  );
}

/** Keys that stand for the same, together: the pattern of one branch. */
export function byExpectation(
  entries: readonly { readonly key: string; readonly value: Expected }[],
): readonly { readonly keys: readonly string[]; readonly value: Expected }[] {
  const groups = Object.groupBy(entries, ({ value }) => JSON.stringify(value));
  return Object.values(groups).flatMap((group = []) => {
    const value = group[0]?.value;
    return value === undefined ? [] : [{ keys: group.map(({ key }) => key), value }];
  });
}

/** Arguments with something to offer. */
export function offeredArguments(tree: readonly CompletedCommand[]) {
  return tree.flatMap(({ path, argument }) =>
    argument === null || argument.kind === 'text' ? [] : [{ key: path, value: argument }],
  );
}

/** As the scripts tell them apart: `text`, `file`, `names:role`, or the words themselves. */
export function offered(value: Expected): readonly string[] {
  if (value.kind === 'words') return value.words;
  return [value.kind === 'names' ? `names:${value.of}` : value.kind];
}

/** Text as one word of sh, bash or zsh. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
