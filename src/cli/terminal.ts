import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { styleText } from 'node:util';
import { type CsvList, wideCells } from '../admin/csv-list.ts';
import { Refused, UsageError } from './exit.ts';
import { printed, printedLine } from './output/printing.ts';
import { placeActedOn } from './place/acted-on.ts';
import { writeErr, writeOut } from './screen/out.ts';
import { holdStatus } from './screen/status.ts';
import { visible } from './screen/visible.ts';

export { visible } from './screen/visible.ts';

/**
 * What a person sees. Results go to stdout, so that a pipe gets them and nothing else; everything
 * said about them goes to stderr. Colours only on a terminal, and never under NO_COLOR (styleText
 * looks at both).
 */
export function say(line = ''): void {
  writeOut(`${line}\n`);
}

export function note(line: string): void {
  writeErr(`${line}\n`);
}

/** A whole result for programs: in JSON, or in the form that `-o` names. */
export function sayJson(value: unknown): void {
  const text = printed(value);
  if (text !== '') say(text);
}

/** One of many results for programs, each told when it is there. */
export function sayJsonLine(line: string): void {
  const text = printedLine(line);
  if (text !== '') say(text);
}

/** A list as a table for spreadsheets. */
export function sayCsv<Item>({ header, line }: CsvList<Item>, items: readonly Item[]): void {
  writeOut(header + items.map(line).join(''));
}

/** The same columns for people. */
export function sayWide<Item>(list: CsvList<Item>, items: readonly Item[]): void {
  const { headings, rows } = wideCells(list, items);
  table(headings, rows);
}

type Style = Parameters<typeof styleText>[0];

export function styled(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** Asks before what cannot be undone. `yes`: asked already, by whoever wrote the script. */
export async function confirm(question: string, yes: boolean | undefined): Promise<void> {
  if (yes === true) return;
  const whole = atPlace(question);
  mustBeAsked(whole);
  const answer = await ask(process.stderr, `${visible(whole)} [y/N] `);
  if (!/^y(es)?$/i.test(answer.trim())) throw new Refused('nothing was changed');
}

/**
 * The same once it is shown what would be done (preview.ts). Throws at once where it must be asked
 * and there is nobody.
 */
export function askFirst(
  options: {
    readonly yes?: boolean;
    readonly dryRun?: boolean;
    readonly replay?: number;
    question?: string;
  },
  question: string,
): void {
  if (options.yes === true || options.dryRun === true || options.replay !== undefined) return;
  mustBeAsked(atPlace(question));
  options.question = question;
}

function atPlace(question: string): string {
  const place = placeActedOn();
  return place === null ? question : `On ${place}: ${question}`;
}

function mustBeAsked(question: string): void {
  if (!canAsk())
    throw new UsageError(`this asks first ("${question}") and there is nobody to ask: add --yes`);
}

/** Reads a line from the terminal without showing it. */
export async function askSecret(question: string): Promise<string> {
  if (!canAsk())
    throw new UsageError(
      'there is no terminal to ask for a password: use --password-file or --generate-password',
    );
  process.stderr.write(question);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  try {
    return await ask(silent, '');
  } finally {
    process.stderr.write('\n');
  }
}

/** One line from the terminal. Ctrl-C and Ctrl-D are a no. */
async function ask(output: NodeJS.WritableStream, question: string): Promise<string> {
  const release = holdStatus();
  const lines = createInterface({ input: process.stdin, output, terminal: true });
  try {
    return await new Promise<string>((resolve, reject) => {
      const refuse = () => {
        if (output === process.stderr) output.write('\n');
        reject(new Refused('nothing was changed'));
      };
      lines.once('close', refuse).once('SIGINT', () => lines.close());
      lines.question(question, (answer) => {
        lines.off('close', refuse);
        resolve(answer);
      });
    });
  } finally {
    lines.close();
    release();
  }
}

/** Columns as wide as their widest cell; the last one runs free. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): void {
  const lines = rows.map((row) => row.map(visible));
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...lines.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) =>
        column === cells.length - 1 ? cell : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  say(styled('dim', line(headings)));
  for (const row of lines) say(line(row));
}

/** Name and value, one below the other. */
export function details(pairs: readonly (readonly [string, string])[]): void {
  const width = Math.max(...pairs.map(([name]) => name.length));
  for (const [name, value] of pairs) say(`${styled('dim', name.padEnd(width))}  ${visible(value)}`);
}
