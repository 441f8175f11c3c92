import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { EXIT } from '../exit-code.ts';

/** What `less` is told where nobody has set LESS: ends at once what fits, colours, no clearing. */
const LESS = 'FRX';

/** Text that is read a page at a time, by a program that the person has chosen. */
export class Pager {
  readonly #child: ChildProcess;
  readonly #closed: Promise<number>;
  readonly #command: string;
  #isEnded = false;

  /** @param environment of the pager, which may run other programs: no token is for it */
  constructor(command: string, environment: NodeJS.ProcessEnv) {
    this.#command = command;
    const env = { LESS, LV: '-c', ...environment };
    this.#child = spawn('sh', ['-c', command], { stdio: ['pipe', 'inherit', 'inherit'], env });
    this.#closed = new Promise((resolve) =>
      this.#child.once('close', (code, signal) =>
        resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
      ),
    );
    // Somebody has read enough, or the pager is broken: nobody waits for the rest.
    this.#child.stdin?.on('error', () => {
      if (!this.#isEnded) void this.end().then(() => process.exit());
    });
    process.on('SIGINT', this.#onInterrupt);
  }

  /** Ctrl-C is for the pager; but what is still being read for it ends. */
  readonly #onInterrupt = () => {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#child.stdin?.end();
    void this.#closed.then(() => process.exit(130));
  };

  write(text: string): void {
    if (!this.#isEnded) this.#child.stdin?.write(text);
  }

  /** Until the person has read on: so that nobody fills the memory with what is not yet read. */
  async drained(): Promise<void> {
    const { stdin } = this.#child;
    if (stdin?.writableNeedDrain !== true) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    stdin.once('drain', resolve);
    await Promise.race([promise, this.#closed.then(() => {})]);
  }

  /** Until the person has left it. What a broken one has swallowed is not passed over. */
  async end(): Promise<void> {
    this.#isEnded = true;
    this.#child.stdin?.end();
    const code = await this.#closed;
    process.off('SIGINT', this.#onInterrupt);
    if (code === 0) return;
    process.stderr.write(
      `sallyport: the pager (${this.#command}) failed with code ${code} and may not have shown everything: add --no-pager\n`,
    );
    process.exitCode ||= EXIT.refused;
  }
}

/**
 * The command of the pager: SALLYPORT_PAGER, PAGER, or less. Null where there is none: no terminal,
 * one that cannot show pages, `cat` or nothing as its name, or a program that is not there.
 */
export function pagerCommand(env: NodeJS.ProcessEnv = process.env): string | null {
  if (process.stdout.isTTY !== true || env.TERM === 'dumb') return null;
  const command = (env.SALLYPORT_PAGER ?? env.PAGER ?? 'less').trim();
  if (command === '' || command === 'cat') return null;
  const [program = ''] = command.split(/\s+/, 1);
  const found = spawnSync('sh', ['-c', 'command -v -- "$1"', 'sh', program], { stdio: 'ignore' });
  return found.status === 0 ? command : null;
}
