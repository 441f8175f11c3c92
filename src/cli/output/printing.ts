import { Document, Scalar, visit } from 'yaml';
import { writeErr } from '../screen/out.ts';
import { hasUnseen, visible, visibleJson, visibleYaml } from '../screen/visible.ts';
import type { Format } from './format.ts';
import { type JsonPath, missedAt, valuesAt } from './json-path.ts';

/** Of one process, which runs one command: how that prints. Null: a table, or text for people. */
let format: Format | null = null;
/** The names in what the command tells. */
let namesIn: (told: never) => readonly string[] = () => [];

const pickers = new WeakMap<object, typeof namesIn>();

/** Says where the names are in what a command tells, for `-o name`. */
export function nameBy<Told>(command: object, names: (told: Told) => readonly string[]): void {
  pickers.set(command, names as typeof namesIn);
}

export function printAs(command: object, chosen: Format | null): void {
  format = chosen;
  namesIn = pickers.get(command) ?? (() => []);
}

export function formatKind(): Format['kind'] | null {
  return format?.kind ?? null;
}

/** A whole result, in the form that was asked for; empty where that has nothing to show of it. */
export function printed(value: unknown): string {
  if (format === null || format.kind === 'json') return visibleJson(JSON.stringify(value, null, 2));
  // As it stands in JSON: without what is undefined, and with secrets masked.
  const plain: unknown = JSON.parse(JSON.stringify(value));
  if (format.kind === 'yaml') return yamlOf(plain);
  if (format.kind === 'jsonpath') noteMissed(format.path, plain);
  return (format.kind === 'jsonpath' ? valuesAt(format.path, plain) : namesIn(plain as never))
    .map(bare)
    .join('\n');
}

/** Names that are told where a path leads past the end. */
const NAMES_TOLD = 30;

function noteMissed(path: JsonPath, plain: unknown): void {
  const missed = missedAt(path, plain);
  if (missed === null) return;
  const names = missed.names.slice(0, NAMES_TOLD).map(visible).join(', ');
  const there = names === '' ? 'nothing is below it' : `there is ${names}`;
  writeErr(`there is no ${visible(missed.name)} at that place of the answer: ${there}\n`);
}

/** What nobody sees can be escaped in double quotes alone. */
function yamlOf(plain: unknown): string {
  const document = new Document(plain);
  visit(document, {
    Scalar(_, scalar) {
      if (typeof scalar.value === 'string' && hasUnseen(scalar.value.replaceAll('\n', '')))
        scalar.type = Scalar.QUOTE_DOUBLE;
    },
  });
  return visibleYaml(document.toString({ lineWidth: 0 }).trimEnd());
}

/** One of many that come one after the other, from its line of JSON. */
export function printedLine(line: string): string {
  if (format === null || format.kind === 'json') return line;
  const text = printed(JSON.parse(line));
  return format.kind === 'yaml' ? `---\n${text}` : text;
}

/** A text as it is, for scripts; what others wrote must not drive somebody's terminal. */
function bare(value: unknown): string {
  if (typeof value !== 'string') return visibleJson(JSON.stringify(value));
  return process.stdout.isTTY === true ? visible(value) : value;
}
