import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { findProgram } from '../support/system.ts';

/** A process of the benchmark, kept on the processors that it was given. */
export interface Child {
  readonly pid: number;
  /** The last of what it said. */
  readonly output: () => string;
  /** Asks it to end (SIGTERM), and makes it after five seconds. */
  stop(): Promise<void>;
}

export interface ChildOptions {
  /** As taskset takes them: `1`, `0,2-3`. */
  readonly cpus: string;
  readonly command: string;
  readonly words: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Resolves to true once it serves. Asked again and again. */
  readonly ready: () => Promise<boolean>;
}

const READY_MS = 20_000;
const STOP_MS = 5000;
const KEPT_OUTPUT = 4000;
const living = new Set<ChildProcess>();

process.once('exit', () => {
  for (const child of living) child.kill('SIGTERM');
});

/** Throws, with what the process said, when it does not come up. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const child = spawnPinned(options);
  let output = '';
  const keep = (chunk: unknown) => {
    output = (output + String(chunk)).slice(-KEPT_OUTPUT);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  child.on('error', (error) => keep(error.message));
  const started: Child = { pid: child.pid ?? -1, output: () => output, stop: () => stop(child) };
  const endMs = performance.now() + READY_MS;
  while (!(await options.ready())) {
    if (isGone(child) || performance.now() > endMs) {
      await stop(child);
      throw new Error(`${options.command} did not come up:\n${output}`);
    }
    await sleep(20);
  }
  return started;
}

/** `taskset` becomes the program: the process that is started is the one that is named. */
function spawnPinned({ cpus, command, words, env, cwd }: ChildOptions): ChildProcess {
  const program = findProgram(command) ?? command;
  const child = spawn('taskset', ['-c', cpus, program, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    ...(cwd === undefined ? {} : { cwd }),
  });
  living.add(child);
  child.once('exit', () => living.delete(child));
  return child;
}

function isGone(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

async function stop(child: ChildProcess): Promise<void> {
  if (isGone(child)) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await gone;
  clearTimeout(timer);
}

/** A port of the loopback that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}
