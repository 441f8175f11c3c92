import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Format, withFormats, withOutput } from './output/format.ts';
import { nameBy } from './output/printing.ts';
import type { AskedOptions, StoreOptions } from './reached.ts';
import { note } from './terminal.ts';

/** A subcommand with the options that every command takes. */
export function leaf(parent: Command, usage: string, summary: string): Command {
  return withOutput(
    command(parent, usage, summary)
      .option(
        '--config <file>',
        'configuration file that names the store (default: ./data, if there is one)',
      )
      .option(
        '--server <url>',
        'ask the admin API of a running gate, with the token in SALLYPORT_TOKEN',
      )
      .option('--ca-file <file>', 'with --server: the CA of its certificate (PEM)')
      .option(
        '--context <context>',
        'act on the gate or store of this context: `sallyport context list`',
      ),
  );
}

function command(parent: Command, usage: string, summary: string): Command {
  return parent.command(usage).summary(summary).description(summary);
}

export function group(program: Command, name: string, summary: string): Command {
  return program.command(name).summary(summary).description(summary);
}

/** Lines that can be pasted, below the help of a command. */
export function examples(command: Command, ...lines: readonly string[]): Command {
  return command.addHelpText(
    'after',
    `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`,
  );
}

/** An option that may be said several times, and hold several values with commas between them. */
export function several(value: string, earlier: readonly string[] | undefined): readonly string[] {
  return [...(earlier ?? []), ...value.split(',').map((one) => one.trim())].filter(
    (one) => one !== '',
  );
}

/** Items of one list. */
export const LIMIT_MOST = 10_000_000;

const UNIT_MS: Readonly<Record<string, number>> = {
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};

const ZONED = /^\d{4}-\d{2}-\d{2}T[\d:.]+(Z|[+-]\d{2}:\d{2})$/;

/** `90d`, `12h`, `2030-01-31` (the end of that day, UTC), `2030-01-31T12:00:00Z`, or `never`. */
export function expiry(value: string): string | null {
  if (value === 'never') return null;
  const [, count, unit] = /^(\d{1,5})([mhdwy])$/.exec(value) ?? [];
  if (count !== undefined && unit !== undefined)
    return new Date(Date.now() + Number(count) * (UNIT_MS[unit] ?? 0)).toISOString();
  const text = /^\d{4}-\d{2}-\d{2}$/.test(value) ? `${value}T23:59:59Z` : value;
  if (!ZONED.test(text) || Number.isNaN(Date.parse(text))) {
    throw new InvalidArgumentError('Say 90d, 12h, 2030-01-31, 2030-01-31T12:00:00Z or never.');
  }
  return new Date(text).toISOString();
}

/**
 * A moment that has been: `24h` (so long ago), `2030-01-31` (the beginning of that day, UTC) or
 * `2030-01-31T12:00:00Z`. Answered in UTC.
 */
export function moment(value: string): string {
  const [, count, unit] = /^(\d{1,5})([mhdwy])$/.exec(value) ?? [];
  if (count !== undefined && unit !== undefined)
    return new Date(Date.now() - Number(count) * (UNIT_MS[unit] ?? 0)).toISOString();
  const text = /^\d{4}-\d{2}-\d{2}$/.test(value) ? `${value}T00:00:00Z` : value;
  if (!ZONED.test(text) || Number.isNaN(Date.parse(text)))
    throw new InvalidArgumentError('Say 15m, 24h, 7d, 2030-01-31 or 2030-01-31T12:00:00Z.');
  return new Date(text).toISOString();
}

const SHORT_UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `5s`, `10m`, `12h`: in milliseconds. `0` is no time at all. */
export function duration(mostMs: number): (value: string) => number {
  return (value) => {
    const [, count, unit = 'ms'] =
      /^(\d{1,7})(ms|s|m|h|d)$/.exec(value) ?? (value === '0' ? [value, '0'] : []);
    const ms = count === undefined ? Number.NaN : Number(count) * (SHORT_UNIT_MS[unit] ?? 0);
    if (!(ms <= mostMs))
      throw new InvalidArgumentError(`Say 5s, 10m or 12h, at most ${mostMs / 1_000} s.`);
    return ms;
  };
}

/** `payments:deployer`: a team and the role in it. */
export function membership(
  value: string,
  earlier: readonly { team: string; role: string }[] | undefined,
) {
  const [, team, role] = /^([^:]+):([^:]+)$/.exec(value) ?? [];
  if (team === undefined || role === undefined)
    throw new InvalidArgumentError('Say team:role, such as payments:deployer.');
  return [...(earlier ?? []), { team, role }];
}

export function count(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < least || number > most)
      throw new InvalidArgumentError(`Say a number from ${least} to ${most}.`);
    return number;
  };
}

/** `10.0.0.0/8,192.0.2.7`, said once or more often; `any` alone: from anywhere. */
export function networks(value: string, earlier: readonly string[] | undefined): readonly string[] {
  return value === 'any' ? [] : several(value, earlier);
}

/** `{ [name]: value }`, or nothing when the option was not said. */
export function given<Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { readonly [N in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [N in Name]?: Value });
}

/**
 * For commands that list something: as a table with all its columns, for people or spreadsheets.
 */
export function withTable(command: Command): Command {
  return withCsv(withFormats(command, 'wide'));
}

/** The table for spreadsheets alone, where it has more columns than anybody reads on a screen. */
export function withCsv(command: Command): Command {
  return withFormats(command, 'csv').addOption(
    new Option('--csv', 'short for -o csv: for spreadsheets (RFC 4180)').conflicts('output'),
  );
}

/** `-o name`: one name a line, from what the command tells. */
export function withNames<Told>(
  command: Command,
  names: (told: Told) => readonly string[],
): Command {
  nameBy(command, names);
  return withFormats(command, 'name');
}

/** For lists that are told whole. */
export function withLimit(command: Command): Command {
  return command.option(
    '--limit <number>',
    'show so many at most; default: all',
    count(1, LIMIT_MOST),
  );
}

/** The first so many of them, and a word about the rest. */
export function limited<Item>(items: readonly Item[], limit: number | undefined): readonly Item[] {
  if (limit !== undefined && limit < items.length) note(`${limit} of ${items.length} are shown`);
  return items.slice(0, limit);
}

/** How a command prints. */
export interface OutputOptions {
  readonly json?: boolean;
  readonly output?: Format;
}

export interface CommonOptions extends StoreOptions, AskedOptions, OutputOptions {
  readonly csv?: boolean;
  readonly limit?: number;
  readonly wait?: number;
  readonly leaveNoAdministrator?: boolean;
}
