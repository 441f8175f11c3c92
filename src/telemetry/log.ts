import { type Clock, systemClock } from '../clock.ts';
import { formatForPeople, formatJson, type LogFields, type LogLevel } from './log-line.ts';
import { createRepeats } from './repeats.ts';
import { endStandardError, standardError } from './standard-error.ts';

export type { LogFields, LogLevel } from './log-line.ts';

const RANK: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

/**
 * The process's own diary: one line per event, without secrets. What happened to a request stands
 * in the audit log, not here.
 */
export interface Log {
  debug(msg: string, fields?: LogFields): void;
  info(msg: string, fields?: LogFields): void;
  warn(msg: string, fields?: LogFields): void;
  error(msg: string, fields?: LogFields): void;
  /** The same log with fields that stand on every line. */
  with(fields: LogFields): Log;
}

export interface RootLog extends Log {
  /** Says how many repeats were held back, and stops the timer. */
  close(): void;
}

export interface LogOptions {
  readonly level?: LogLevel;
  /**
   * `json`: one object per line. `text`: for people. Default, or null: text when standard error is
   * a terminal.
   */
  readonly format?: 'json' | 'text' | null;
  readonly clock?: Clock;
  /** Where lines go, each with its line break. Default: standard error. */
  readonly write?: (line: string) => void;
}

export function createLog(options: LogOptions = {}): RootLog {
  const clock = options.clock ?? systemClock;
  const least = RANK[options.level ?? 'info'];
  const isText = (options.format ?? (process.stderr.isTTY ? 'text' : 'json')) === 'text';
  const write = options.write ?? standardError();
  const format = isText ? formatForPeople : formatJson;
  const emit = (level: LogLevel, msg: string, fields: LogFields) =>
    write(`${format(clock.wallMs(), level, msg, fields)}\n`);
  const repeats = createRepeats(clock, emit);

  function at(level: LogLevel, base: LogFields) {
    return (msg: string, fields: LogFields = {}) => {
      if (RANK[level] >= least) repeats.pass(level, msg, { ...base, ...fields });
    };
  }
  function bound(base: LogFields): Log {
    return {
      debug: at('debug', base),
      info: at('info', base),
      warn: at('warn', base),
      error: at('error', base),
      with: (fields) => bound({ ...base, ...fields }),
    };
  }
  const close = () => {
    repeats.close();
    if (options.write === undefined) endStandardError();
  };
  return { ...bound({}), close };
}
