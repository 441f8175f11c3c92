import { execFileSync } from 'node:child_process';

/** Who runs where, as taskset takes it. */
export interface Processors {
  /** The one processor of the proxy that is measured, with all its processes and threads. */
  readonly proxy: string;
  /** All others: clients, upstream, Redis, this process. */
  readonly load: string;
}

/**
 * The last processor is the proxy's: interrupts fall on the first. Throws where there is only one.
 */
export function processors(count: number): Processors {
  if (count < 2)
    throw new Error(
      'the benchmark needs two processors: one for the proxy, one for everything else',
    );
  return { proxy: String(count - 1), load: count === 2 ? '0' : `0-${count - 2}` };
}

/** Moves a process, with all its threads. */
export function pin(pid: number, cpus: string): void {
  execFileSync('taskset', ['-a', '-p', '-c', cpus, String(pid)], { stdio: 'ignore' });
}
