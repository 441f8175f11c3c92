import { type Command, InvalidArgumentError, Option } from 'commander';
import { type JsonPath, readJsonPath } from './json-path.ts';

/** In what form a command prints what it has found or done. */
export type Format =
  | { readonly kind: 'json' | 'yaml' | 'name' | 'wide' | 'csv' }
  | { readonly kind: 'jsonpath'; readonly path: JsonPath };

/** In the order in which they are told. */
const WORDS = ['json', 'yaml', 'name', 'wide', 'csv', 'jsonpath=PATH'] as const;
type Word = (typeof WORDS)[number];

const JSONPATH = 'jsonpath=';
/** What everything that can be said in JSON can be said in. */
const ALWAYS: readonly Word[] = ['json', 'yaml', 'jsonpath=PATH'];

/** `-o` and, as its short form, `--json`. */
export function withOutput(command: Command): Command {
  const output = new Option('-o, --output <format>', 'the form of what is printed');
  offer(output, ALWAYS);
  return command
    .addOption(output)
    .addOption(new Option('--json', 'short for -o json').conflicts('output'));
}

/** Further forms of a command that has `-o` already. */
export function withFormats(command: Command, ...words: readonly Word[]): Command {
  const output = command.options.find((option) => option.attributeName() === 'output');
  if (output === undefined) throw new Error(`${command.name()} has no --output`);
  offer(output, [...words, ...(output.argChoices ?? [])]);
  return command;
}

function offer(output: Option, words: readonly string[]): void {
  output.choices(WORDS.filter((word) => words.includes(word)));
  output.argParser<Format | undefined>((text) => readFormat(text, output.argChoices ?? []));
}

function readFormat(text: string, words: readonly string[]): Format {
  if (text.startsWith(JSONPATH)) {
    const path = readJsonPath(text.slice(JSONPATH.length));
    if (path !== null) return { kind: 'jsonpath', path };
    throw new InvalidArgumentError(
      "Say a path such as jsonpath='{.accounts[*].name}': names, [0], [*]; for more, pipe -o json into jq.",
    );
  }
  if (words.includes(text)) return { kind: text as 'json' };
  throw new InvalidArgumentError(`This command knows ${words.join(', ')}.`);
}
