import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { until } from './redis-replication.ts';

const OPEN_MS = 50_000;
const COMMAND_MS = 50_000;

export interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface RunningGate {
  readonly port: number;
  log(): string;
  /** What a caller gets on `/x`. */
  status(token: string): Promise<number | undefined>;
  /** SIGTERM; answers the exit code. */
  end(): Promise<number | null>;
}

/** Sallyport of some version, by its main.ts or main.js. */
export class Version {
  readonly #main: string;
  readonly #living = new Set<ChildProcess>();

  constructor(main: string) {
    this.#main = main;
  }

  async outcome(...words: readonly string[]): Promise<Outcome> {
    const child = this.#spawn(words);
    const timer = setTimeout(() => child.process.kill('SIGKILL'), COMMAND_MS);
    const [code] = (await once(child.process, 'close')) as [number | null];
    clearTimeout(timer);
    return { code, out: child.out(), err: child.err() };
  }

  /** Standard output; throws, with what was said, when the command fails. */
  async run(...words: readonly string[]): Promise<string> {
    const { code, out, err } = await this.outcome(...words);
    if (code !== 0) throw new Error(`${words.join(' ')} ended with ${code}: ${out}${err}`);
    return out.trim();
  }

  async json<T>(...words: readonly string[]): Promise<T> {
    return JSON.parse(await this.run(...words, '--json')) as T;
  }

  /** Resolves when the gate is open and has said it. */
  async serve(config: string): Promise<RunningGate> {
    const child = this.#spawn(['serve', '--config', config]);
    const opened = () =>
      child
        .err()
        .split('\n')
        .find((line) => line.includes('"the gate is open"'));
    const gone = () => child.process.exitCode !== null;
    await until('the gate is open', async () => gone() || opened() !== undefined, OPEN_MS);
    if (opened() === undefined) throw new Error(`the gate does not open: ${child.err()}`);
    const { proxy } = JSON.parse(opened()!) as { readonly proxy: { readonly port: number } };
    return {
      port: proxy.port,
      log: child.err,
      status: (token) => statusOf(proxy.port, token),
      async end() {
        const gone = once(child.process, 'exit') as Promise<[number | null]>;
        child.process.kill('SIGTERM');
        return (await gone)[0];
      },
    };
  }

  close(): void {
    for (const child of this.#living) child.kill('SIGKILL');
  }

  #spawn(words: readonly string[]) {
    const child = spawn(process.execPath, [this.#main, ...words], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#living.add(child);
    child.once('exit', () => this.#living.delete(child));
    let [out, err] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    return { process: child, out: () => out, err: () => err };
  }
}

async function statusOf(port: number, token: string): Promise<number | undefined> {
  const headers = { authorization: `Bearer ${token}` };
  const asked = request({ host: '127.0.0.1', port, path: '/x', headers, agent: false }).end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  response.resume();
  return response.statusCode;
}
