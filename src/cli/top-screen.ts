import { AdminError } from '../admin/error.ts';
import type { UsageTop, UsageTopQuery } from '../admin/usage.ts';
import { USAGE_ORDERS, type UsageOrder } from '../admin/usage-orders.ts';
import { SUBJECTS, type Subject } from '../stats/usage/table.ts';
import { styled, visible } from './terminal.ts';
import { barsFor, topTable, totalText } from './top-lines.ts';

/** What is looked at, and how it began. */
export interface LiveOptions {
  readonly of: Subject;
  readonly by: UsageOrder;
  /** ISO 8601. */
  readonly since?: string;
  readonly every: number;
  readonly limit?: number;
}

type Ask = (query: UsageTopQuery) => Promise<UsageTop>;

const RANGES = [
  { minutes: 15, words: '15 minutes' },
  { minutes: 60, words: 'hour' },
  { minutes: 360, words: '6 hours' },
  { minutes: 1_440, words: '24 hours' },
  { minutes: 7 * 1_440, words: '7 days' },
  { minutes: 90 * 1_440, words: '90 days' },
] as const;

/** The other screen of the terminal, so that what stood there comes back; and no cursor. */
const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const TO_END_OF_LINE = '\x1b[K';
const TO_END_OF_SCREEN = '\x1b[J';
const CTRL_C = '\x03';

/** Lines besides the rows. */
const FRAME_LINES = 6;
const ROWS_MOST = 256;

/** Shows it anew every so often, until somebody says q or a signal comes. */
export async function showLive(ask: Ask, options: LiveOptions): Promise<void> {
  const screen = new Screen(ask, options);
  const { stdin, stdout } = process;
  const end = () => screen.end();
  const onKey = (keys: Buffer) => {
    for (const key of keys.toString('latin1')) screen.key(key);
  };
  const resized = () => screen.draw();
  const takesKeys = stdin.isTTY === true;
  process.on('SIGINT', end).on('SIGTERM', end).on('SIGHUP', end);
  stdout.on('resize', resized);
  try {
    stdout.write(ENTER);
    if (takesKeys) stdin.setRawMode(true).resume().on('data', onKey);
    await screen.run();
  } finally {
    if (takesKeys) stdin.off('data', onKey).setRawMode(false).pause();
    stdout.write(LEAVE);
    stdout.off('resize', resized);
    process.off('SIGINT', end).off('SIGTERM', end).off('SIGHUP', end);
  }
}

class Screen {
  readonly #ask: Ask;
  readonly #options: LiveOptions;
  #of: Subject;
  #by: UsageOrder;
  /** Null: the range that was asked for by the command. */
  #range: number | null;
  #shown: UsageTop | null = null;
  #fault: string | null = null;
  #ended = false;
  readonly #over = Promise.withResolvers<void>();
  #wake: () => void = () => {};

  constructor(ask: Ask, options: LiveOptions) {
    this.#ask = ask;
    this.#options = options;
    this.#of = options.of;
    this.#by = options.by;
    this.#range = options.since === undefined ? 1 : null;
  }

  /** Throws what no further try would mend. */
  async run(): Promise<void> {
    this.draw();
    while (!this.#ended) {
      // Whoever wants to leave does not wait for an answer.
      await Promise.race([this.#look(), this.#over.promise]);
      if (this.#ended) return;
      this.draw();
      await this.#pause();
    }
  }

  end(): void {
    this.#ended = true;
    this.#over.resolve();
    this.#wake();
  }

  key(key: string): void {
    if (key === 'q' || key === 'Q' || key === CTRL_C) {
      this.end();
      return;
    }
    if (key === 's') this.#by = after(USAGE_ORDERS, this.#by);
    else if (key === 't') this.#of = after(SUBJECTS, this.#of);
    else if (key === '+' || key === '-') this.#changeRange(key === '+' ? 1 : -1);
    else if (key !== ' ') return;
    this.#wake();
  }

  draw(): void {
    const { columns, rows } = sizeOf(process.stdout);
    const lines = this.#lines(columns).slice(0, rows - 1);
    const text = lines.map((line) => `${line}${TO_END_OF_LINE}`).join('\r\n');
    process.stdout.write(`${HOME}${text}${TO_END_OF_SCREEN}`);
  }

  #changeRange(by: number): void {
    const from = this.#range ?? 1;
    this.#range = Math.min(RANGES.length - 1, Math.max(0, from + by));
  }

  async #look(): Promise<void> {
    const { limit, since } = this.#options;
    const room = Math.max(1, sizeOf(process.stdout).rows - FRAME_LINES);
    const range = this.#range === null ? null : RANGES[this.#range]!;
    const from =
      range === null ? since! : new Date(Date.now() - range.minutes * 60_000).toISOString();
    const query = { of: this.#of, by: this.#by, since: from };
    try {
      this.#shown = await this.#ask({ ...query, limit: Math.min(limit ?? room, room, ROWS_MOST) });
      this.#fault = null;
    } catch (error) {
      // A gate that restarts is back soon, and what was seen last is better than nothing.
      if (!(error instanceof AdminError) || error.code !== 'unavailable') throw error;
      this.#fault = error.message;
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#wake(), this.#options.every);
      this.#wake = () => {
        this.#wake = () => {};
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #lines(width: number): readonly string[] {
    const top = this.#shown;
    const range = this.#range === null ? 'since then' : `last ${RANGES[this.#range]!.words}`;
    const title = `sallyport top: ${this.#of}s by ${this.#by}, ${range}`;
    const keys = 'q quit  s order  t accounts/applications/routes  + - range  space now';
    const fault =
      this.#fault === null ? [] : [styled('red', withinWidth(visible(this.#fault), width))];
    if (top === null)
      return [styled('bold', withinWidth(title, width)), ...fault, '', withinWidth(keys, width)];
    const { heading, rows } = topTable(top, width, barsFor(process.env));
    return [
      styled('bold', withinWidth(`${title}  ${top.until.slice(11, 19)} UTC`, width)),
      withinWidth(totalText(top.total), width),
      ...fault,
      '',
      styled('dim', withinWidth(heading, width)),
      ...rows.map((row) => withinWidth(row, width)),
      styled('dim', withinWidth(keys, width)),
    ];
  }
}

/** A terminal that does not know its size says 0. */
function sizeOf({ columns, rows }: typeof process.stdout) {
  return { columns: columns || 80, rows: rows || 24 };
}

function after<T>(all: readonly T[], one: T): T {
  return all[(all.indexOf(one) + 1) % all.length] as T;
}

function withinWidth(line: string, width: number): string {
  return line.length <= width ? line : line.slice(0, width);
}
