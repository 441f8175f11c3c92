import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const EXAMPLES = join(ROOT, 'config', 'examples');
const COMMAND_MS = 50_000;
const OPEN_MS = 50_000;

/** A command of a README, and what it printed on both outputs. */
export interface Done {
  readonly command: string;
  readonly code: number | null;
  readonly out: string;
}

/** Of the gate that a README starts; as they stand in the examples. */
const OWN_PORTS = [8443, 9444, 9464] as const;

/**
 * A copy of a folder of config/examples, whose README's commands are run as they stand: only ports
 * and the names of other machines are replaced, in all of its files alike.
 */
export class Example {
  readonly folder = mkdtempSync(join(tmpdir(), 'sallyport-example-'));
  readonly #started: ChildProcess[] = [];
  readonly #ports = new Map<number, number>();

  /** @param places what stands for others in the files, and what takes its place */
  static async open(name: string, places: Readonly<Record<string, string>>): Promise<Example> {
    const example = new Example();
    cpSync(join(EXAMPLES, name), example.folder, { recursive: true });
    for (const port of OWN_PORTS) example.#ports.set(port, await freePort());
    for (const file of ['README.md', 'sallyport.yaml', 'manage.yaml', 'npmrc'])
      example.#replaceIn(join(example.folder, file), places);
    return example;
  }

  #replaceIn(file: string, places: Readonly<Record<string, string>>): void {
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch {
      return; // not every example has each
    }
    for (const [name, place] of Object.entries(places)) text = text.replaceAll(name, place);
    for (const [port, free] of this.#ports)
      text = text.replaceAll(new RegExp(`([:=])${port}\\b`, 'g'), `$1${free}`);
    writeFileSync(file, text);
  }

  port(written: (typeof OWN_PORTS)[number]): number {
    return this.#ports.get(written)!;
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text, { mode: 0o600 });
  }

  /** Runs the commands of the README; `sallyport serve` in the background, until it is open. */
  async run(): Promise<readonly Done[]> {
    const done: Done[] = [];
    const exports: string[] = [];
    for (const command of commandsOf(readFileSync(join(this.folder, 'README.md'), 'utf8'))) {
      const script = [...exports, command].join('\n');
      if (command.startsWith('export ')) exports.push(command);
      else if (command.startsWith('sallyport serve')) await this.#serve(script);
      else done.push({ command, ...(await this.#run(script)) });
    }
    return done;
  }

  #start(script: string, limitMs: number): { child: ChildProcess; out: () => string } {
    const child = spawn(
      'bash',
      ['-c', `set -eu\n${script.replace(/^(?=sallyport serve)/m, 'exec ')}`],
      {
        cwd: this.folder,
        env: {
          HOME: this.folder,
          LANG: 'C.UTF-8',
          PATH: [join(ROOT, 'bin'), process.env.PATH ?? ''].join(delimiter),
        },
        stdio: ['ignore', 'pipe', 'pipe'],
        ...(limitMs > 0 ? { timeout: limitMs, killSignal: 'SIGKILL' as const } : {}),
      },
    );
    let out = '';
    for (const stream of [child.stdout!, child.stderr!])
      stream.setEncoding('utf8').on('data', (text: string) => {
        out += text;
      });
    return { child, out: () => out };
  }

  async #run(script: string): Promise<Omit<Done, 'command'>> {
    const { child, out } = this.#start(script, COMMAND_MS);
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, out: out() };
  }

  async #serve(script: string): Promise<void> {
    const { child, out } = this.#start(script, 0);
    this.#started.push(child);
    for (const end = performance.now() + OPEN_MS; performance.now() < end; await sleep(20)) {
      if (out().includes('the gate is open')) return this.#ready(out);
      if (child.exitCode !== null) break;
    }
    throw new Error(`the gate does not open: ${out()}`);
  }

  /** Open, it may still wait for its first lease. */
  async #ready(out: () => string): Promise<void> {
    for (const end = performance.now() + OPEN_MS; performance.now() < end; await sleep(20)) {
      const { status } = await fetch(`http://127.0.0.1:${this.port(9464)}/readyz`);
      if (status === 200) return;
    }
    throw new Error(`the gate does not get ready: ${out()}`);
  }

  async stop(): Promise<void> {
    for (const child of this.#started) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** In their order, continued lines as one. */
function commandsOf(readme: string): readonly string[] {
  const blocks = [...readme.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map((match) => match[1]!);
  return blocks.flatMap((block) =>
    block
      .replaceAll(/ *\\\n */g, ' ')
      .trim()
      .split('\n'),
  );
}
