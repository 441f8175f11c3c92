import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** What processes take, by /proc. A tree is the processes named and all that descend from them. */

/** Clock ticks in which /proc counts processor time. */
const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** In microseconds, exact to one clock tick (10 ms). */
export interface ProcessorTime {
  readonly userUs: number;
  readonly systemUs: number;
}

/**
 * Processor time of the trees so far. Children that have ended and were waited for are counted with
 * their parents.
 */
export function processorTimeOf(roots: readonly number[]): ProcessorTime {
  const ticks = treesOf(roots).map(ticksOf);
  const us = (mode: 'user' | 'system') =>
    (ticks.reduce((sum, one) => sum + one[mode], 0) * 1e6) / TICKS_PER_SECOND;
  return { userUs: us('user'), systemUs: us('system') };
}

/** User and system time together, in microseconds. */
export function cpuUsOf(roots: readonly number[]): number {
  const { userUs, systemUs } = processorTimeOf(roots);
  return userUs + systemUs;
}

/**
 * Memory of the trees that is theirs (proportional set size), in bytes. Socket buffers belong to
 * the kernel and are not in it.
 */
export function memoryBytesOf(roots: readonly number[]): number {
  let kib = 0;
  for (const pid of treesOf(roots)) {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    kib += Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? 0);
  }
  return kib * 1024;
}

function treesOf(roots: readonly number[]): readonly number[] {
  const found = [...roots];
  // Grows while it is walked.
  for (const pid of found) {
    for (const child of childrenOf(pid)) if (!found.includes(child)) found.push(child);
  }
  return found;
}

/** A process may end at any moment between being listed and being read: then it has no children. */
function childrenOf(pid: number): readonly number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8')
        .split(' ')
        .filter(Boolean)
        .map(Number),
    );
  } catch {
    return [];
  }
}

/**
 * proc(5), fields 14 to 17 of `stat`: utime, stime, cutime, cstime. The second field, the name, may
 * hold spaces: counting begins after it.
 */
function ticksOf(pid: number): { readonly user: number; readonly system: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [user, system, childrenUser, childrenSystem] = fields.slice(11, 15).map(Number);
  return { user: user! + childrenUser!, system: system! + childrenSystem! };
}
