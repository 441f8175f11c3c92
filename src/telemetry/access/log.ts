import type { Clock } from '../../clock.ts';
import type { Log } from '../log.ts';
import { type AccessFacts, type AccessMeasure, combinedLine, jsonLine } from './line.ts';
import { fileOutput, NoFile, type Output, standardOutput } from './output.ts';

/** One line for each call, beside the record and without its promises. */
export interface AccessLog {
  write(facts: AccessFacts, measure: AccessMeasure): void;
  /** The file was moved away: goes on in a new one of its name. */
  reopen(): void;
  /** Writes what waits, for half a second at most. */
  close(): Promise<void>;
}

export interface AccessLogOptions {
  readonly format: 'json' | 'combined';
  /** Null: standard output. */
  readonly path: string | null;
  /** Share of the calls without fault that have a line, 0 to 1; all others have one. */
  readonly sample: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Default: as `path` says. */
  readonly output?: Output;
}

/** Lines wait so long for others, so that one write takes many. */
const GATHER_MS = 50;
/** Characters that wait for whoever takes them. Beyond, lines are dropped, and counted. */
const MAX_WAITING = 4 * 1024 * 1024;
const CLOSE_MS = 500;
const FROM_FAULT = 400;

/** The file of the access log cannot be opened. */
export class AccessLogFault extends Error {
  override readonly name = 'AccessLogFault';
}

/** Throws `AccessLogFault`. */
export function openAccessLog(options: AccessLogOptions): AccessLog {
  return new GatheringLog(options, options.output ?? outputTo(options.path));
}

function outputTo(path: string | null): Output {
  if (path === null) return standardOutput();
  try {
    return fileOutput(path);
  } catch (fault) {
    if (fault instanceof NoFile)
      throw new AccessLogFault(
        `log.access.path: ${path} ${fault.message}: name a file, or leave the path out for standard output`,
      );
    const { code = String(fault) } = fault as NodeJS.ErrnoException;
    throw new AccessLogFault(
      `log.access.path: ${path} cannot be opened for writing (${code}): make its folder, or let this user write there`,
    );
  }
}

class GatheringLog implements AccessLog {
  readonly #options: AccessLogOptions;
  readonly #output: Output;
  readonly #line: typeof jsonLine;
  #waiting: string[] = [];
  #characters = 0;
  #dropped = 0;
  #isWriting = false;
  /** The last write has failed, and this was told. */
  #hasFailed = false;
  #timer: NodeJS.Timeout | null = null;
  #closed: (() => void) | null = null;

  constructor(options: AccessLogOptions, output: Output) {
    this.#options = options;
    this.#output = output;
    this.#line = options.format === 'json' ? jsonLine : combinedLine;
  }

  write(facts: AccessFacts, measure: AccessMeasure): void {
    const { sample, clock } = this.#options;
    if (this.#closed !== null) return;
    const isFault = measure.reason !== 'permitted' || measure.status >= FROM_FAULT;
    if (!isFault && sample < 1 && Math.random() >= sample) return;
    if (this.#characters > MAX_WAITING) {
      this.#dropped += 1;
      return;
    }
    const line = this.#line(clock.wallMs(), facts, measure);
    this.#waiting.push(line);
    this.#characters += line.length;
    if (this.#isWriting) return;
    this.#timer ??= setTimeout(() => this.#flush(), GATHER_MS).unref();
  }

  #flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#waiting.length === 0) {
      this.#closed?.();
      return;
    }
    const text = Buffer.from(this.#waiting.join(''));
    const characters = this.#characters;
    this.#waiting = [];
    this.#isWriting = true;
    this.#output.write(text, (fault) => {
      this.#isWriting = false;
      this.#characters -= characters;
      this.#tell(fault);
      this.#flush();
    });
  }

  /** Once for each outage, and how much it has cost. */
  #tell(fault: Error | null): void {
    const { log, path } = this.#options;
    const where = path ?? 'standard output';
    if (fault !== null) {
      if (!this.#hasFailed)
        log.error('the access log cannot be written: its lines are lost', { path: where, fault });
    } else if (this.#dropped > 0) {
      log.warn('lines of the access log were dropped, because nothing took them', {
        path: where,
        lines: this.#dropped,
      });
      this.#dropped = 0;
    }
    this.#hasFailed = fault !== null;
  }

  reopen(): void {
    const { log, path } = this.#options;
    try {
      this.#output.reopen();
      log.info('the access log was opened anew', { path: path ?? 'standard output' });
    } catch (fault) {
      log.error('the access log cannot be opened anew: it goes on in the former file', {
        path,
        fault,
      });
    }
  }

  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, CLOSE_MS);
    this.#closed = resolve;
    if (!this.#isWriting) this.#flush();
    await promise;
    clearTimeout(timer);
    this.#output.close();
  }
}
