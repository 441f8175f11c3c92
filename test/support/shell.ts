import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { storeOwner } from '../../src/admin/actor.ts';
import { type Administration, createAdministration } from '../../src/admin/administration.ts';
import { systemClock } from '../../src/clock.ts';
import { parseConfig } from '../../src/config/load.ts';
import { MAIN } from './main.ts';
import { openWithRegistry } from './registry.ts';

const LIMIT_MS = 55_000;

export interface Result {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/**
 * A folder of its own in which the real command line is run, as a child process with its output in
 * pipes.
 */
export class Shell {
  readonly main: string;
  readonly folder = mkdtempSync(join(tmpdir(), 'sallyport-cli-'));
  readonly env = {
    PATH: process.env.PATH,
    HOME: this.folder,
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
  };
  readonly #children = new Set<ChildProcess>();

  /** @param main what is run: the bundle or the sources, unless told otherwise */
  constructor(main = MAIN) {
    this.main = main;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, text: string): string {
    writeFileSync(this.path(name), text);
    return name;
  }

  /** Ends by itself within 55 s, or is killed and answers with code null. */
  async run(...words: string[]): Promise<Result> {
    const child = this.start(...words);
    const timer = setTimeout(() => child.process.kill('SIGKILL'), LIMIT_MS);
    const code = await child.ended;
    clearTimeout(timer);
    return { code, out: child.out(), err: child.err() };
  }

  /** Runs and reads stdout as JSON; throws with what was said when the exit code is not 0. */
  async json<T = never>(...words: string[]): Promise<T> {
    const result = await this.run(...words, '--json');
    if (result.code !== 0) throw new Error(`${words.join(' ')}: ${result.code} ${result.err}`);
    return JSON.parse(result.out) as T;
  }

  /**
   * Prepares the store without starting a process for each step; closed again before any command
   * runs.
   */
  async prepare(work: (admin: Administration) => Promise<unknown>): Promise<void> {
    const { config } = parseConfig(EMBEDDED, this.path('sallyport.yaml'));
    const stores = await openWithRegistry(config);
    try {
      await work(createAdministration({ ...stores, clock: systemClock, instance: null }));
    } finally {
      await stores.close();
    }
  }

  start(...words: string[]) {
    const process_ = spawn(process.execPath, [this.main, ...words], {
      cwd: this.folder,
      env: this.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#children.add(process_);
    let out = '';
    let err = '';
    process_.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    process_.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    const ended = new Promise<number | null>((resolve) =>
      process_.once('close', (code) => resolve(code)),
    );
    return { process: process_, out: () => out, err: () => err, ended };
  }

  close(): void {
    for (const child of this.#children) if (child.exitCode === null) child.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export const owner = storeOwner('preparing', 'command-line');

export const EMBEDDED = `
instance: { name: test, dataDir: ./store }
store: { kind: embedded }
upstreams: { api: { addresses: ["http://127.0.0.1:9"] } }
routes:
  - { name: read, path: "/apps/{app}/**", methods: [GET], application: "{app}", permission: apps:read, upstream: api }
`;
