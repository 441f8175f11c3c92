import type { Clock } from '../clock.ts';
import type { LogFields, LogLevel } from './log-line.ts';

/**
 * A message may appear this often per window; what comes more often is counted and told at the
 * window's end.
 */
const PER_WINDOW = 10;
const WINDOW_MS = 10_000;
/**
 * Different messages watched at a time. Messages are constants of the program, so there are few;
 * past this the oldest is forgotten.
 */
const MAX_MESSAGES = 500;

interface Window {
  readonly level: LogLevel;
  readonly msg: string;
  readonly sinceMs: number;
  passed: number;
  held: number;
}

/**
 * Keeps a fault that repeats thousands of times a second from filling the disk and hiding
 * everything else.
 */
export function createRepeats(
  clock: Clock,
  emit: (level: LogLevel, msg: string, fields: LogFields) => void,
) {
  const windows = new Map<string, Window>();
  let timer: NodeJS.Timeout | null = null;

  function tellHeld(window: Window): void {
    if (window.held > 0)
      emit(window.level, window.msg, {
        repeated: window.held,
        withinMs: Math.round(clock.monotonicMs() - window.sinceMs),
      });
  }

  function sweep(nowMs: number): void {
    for (const [key, window] of windows) {
      if (nowMs - window.sinceMs < WINDOW_MS) continue;
      windows.delete(key);
      tellHeld(window);
    }
  }

  function watch(): void {
    if (timer !== null) return;
    timer = setTimeout(() => {
      timer = null;
      sweep(clock.monotonicMs());
      for (const window of windows.values()) if (window.held > 0) return watch();
    }, WINDOW_MS);
    timer.unref();
  }

  function open(key: string, level: LogLevel, msg: string): Window {
    const oldest = windows.size >= MAX_MESSAGES ? windows.entries().next().value : undefined;
    if (oldest !== undefined) {
      windows.delete(oldest[0]);
      tellHeld(oldest[1]);
    }
    const window = { level, msg, sinceMs: clock.monotonicMs(), passed: 0, held: 0 };
    windows.set(key, window);
    return window;
  }

  return {
    pass(level: LogLevel, msg: string, fields: LogFields): void {
      const key = `${level} ${msg}`;
      let window = windows.get(key);
      if (window !== undefined && clock.monotonicMs() - window.sinceMs >= WINDOW_MS) {
        windows.delete(key);
        tellHeld(window);
        window = undefined;
      }
      window ??= open(key, level, msg);
      if (window.passed < PER_WINDOW) {
        window.passed++;
        emit(level, msg, fields);
      } else {
        window.held++;
        watch();
      }
    },
    close(): void {
      if (timer !== null) clearTimeout(timer);
      timer = null;
      for (const window of windows.values()) tellHeld(window);
      windows.clear();
    },
  };
}
