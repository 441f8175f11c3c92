import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** A real service behind the gate, serving the files of one folder under `/files/`. */
export interface Upstream {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  stop(): Promise<void>;
}

const children = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** A program that this process owns: it ends with it, at the latest. Its errors appear in ours. */
export interface Program {
  readonly child: ChildProcess;
  stop(): Promise<void>;
}

export function startProgram(command: string, words: readonly string[]): Program {
  const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  const gone = once(child, 'close').finally(() => children.delete(child));
  return {
    child,
    async stop() {
      child.kill('SIGKILL');
      await gone;
    },
  };
}
