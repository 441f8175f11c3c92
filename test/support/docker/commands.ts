import { execFile } from 'node:child_process';

/** How long any one command may take: a cold build on a slow machine is the longest. */
const LIMIT_MS = 300_000;
const OUTPUT_BYTES = 32 * 1024 * 1024;

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/**
 * Runs commands in one environment, until `signal` says that it is over: then the one that runs is
 * ended and no other begins.
 */
export class Commands {
  readonly #env: NodeJS.ProcessEnv;
  readonly #cwd: string;
  readonly #signal: AbortSignal | undefined;

  constructor(options: {
    readonly cwd: string;
    readonly env?: NodeJS.ProcessEnv;
    readonly signal?: AbortSignal;
  }) {
    this.#env = { ...process.env, ...options.env };
    this.#cwd = options.cwd;
    this.#signal = options.signal;
  }

  /**
   * The same with more in the environment. With `signal: null` it is not stopped by a signal: for
   * clearing away.
   */
  with(env: NodeJS.ProcessEnv, signal: AbortSignal | null | undefined = this.#signal): Commands {
    return new Commands({
      cwd: this.#cwd,
      env: { ...this.#env, ...env },
      ...(signal ? { signal } : {}),
    });
  }

  /** Standard output; throws, with what was said, when the command fails. */
  async run(file: string, ...words: readonly string[]): Promise<string> {
    const { code, out, err } = await this.outcome(file, ...words);
    if (code !== 0)
      throw new Error(`${file} ${words.join(' ')} ended with ${code}: ${err.trim().slice(-2_000)}`);
    return out;
  }

  /** A command that was killed, or could not be started, has the code -1. */
  outcome(file: string, ...words: readonly string[]): Promise<Outcome> {
    this.#signal?.throwIfAborted();
    const options = { cwd: this.#cwd, env: this.#env, maxBuffer: OUTPUT_BYTES, timeout: LIMIT_MS };
    return new Promise((resolve) => {
      const child = execFile(
        file,
        words,
        this.#signal ? { ...options, signal: this.#signal } : options,
        (error, out, err) => {
          const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
          resolve({ code, out, err: code === -1 ? `${err}${error?.message}` : err });
        },
      );
      child.stdin?.end();
    });
  }
}
