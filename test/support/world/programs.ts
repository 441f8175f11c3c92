import { type ChildProcess, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const LIMIT_MS = 60_000;
const living = new Set<ChildProcess>();

process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

/** A program of the world, which ends with this process at the latest. */
export interface Running {
  /** What it has said on standard error, the end of it. */
  said(): string;
  /** Exit code, once it is gone; null = it was killed. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

const KEPT = 200_000;

export function run(command: string, words: readonly string[]): Running {
  const child = spawn(command, words, { stdio: ['ignore', 'ignore', 'pipe'] });
  living.add(child);
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-KEPT);
  });
  child.on('error', (fault) => {
    said += fault.message;
  });
  const gone = new Promise<number | null>((resolve) =>
    child.once('close', (code) => {
      living.delete(child);
      resolve(code);
    }),
  );
  return {
    said: () => said,
    end: (signal = 'SIGTERM') => {
      child.kill(signal);
      return gone;
    },
  };
}

/** Throws after a minute; what throws does not hold. */
export async function holds(what: string, is: () => Promise<boolean> | boolean): Promise<void> {
  const endMs = performance.now() + LIMIT_MS;
  for (;;) {
    const yes = await (async () => is())().catch(() => false);
    if (yes) return;
    if (performance.now() > endMs) throw new Error(`not within a minute: ${what}`);
    await sleep(20);
  }
}

export function listens(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
