import { setTimeout as sleep } from 'node:timers/promises';
import { ask } from '../balanced/gate.ts';
import type { SoakStage } from './stage.ts';

const EVERY_MS = 2000;
const MIB = 2 ** 20;

/** What a gate used at one moment. */
export interface Sample {
  /** Seconds since the beginning. */
  readonly at: number;
  /** Of the stage. */
  readonly gate: number;
  /** Another one after each restart. */
  readonly pid: number;
  /** MiB. */
  readonly resident: number;
  readonly heap: number;
}

/** Asks every gate for its metrics now and then, until `over`. */
export async function sampleMemory(
  { gates }: SoakStage,
  over: AbortSignal,
): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  const beganMs = performance.now();
  while (!over.aborted) {
    for (const [gate, { opsPort, child }] of gates.entries()) {
      const { status, body } = await ask(opsPort, '/metrics');
      const value = (name: string) =>
        Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(body)?.[1]) / MIB;
      const at = (performance.now() - beganMs) / 1000;
      const resident = value('process_resident_memory_bytes');
      const heap = value('nodejs_heap_size_used_bytes');
      if (status === 200) samples.push({ at, gate, pid: child.pid ?? 0, resident, heap });
    }
    await sleep(EVERY_MS, undefined, { signal: over }).catch(() => {});
  }
  return samples;
}

/** How the memory of one gate's last process went. */
export interface MemoryCourse {
  readonly gate: number;
  readonly seconds: number;
  /** The middle one of the second and of the last third of its time, MiB. */
  readonly resident: readonly [before: number, after: number];
  /** The least one of these: what is left after a collection. */
  readonly heap: readonly [before: number, after: number];
}

/** Of the processes that ran at the end. What the first third of their time was is left out. */
export function coursesOf(samples: readonly Sample[]): readonly MemoryCourse[] {
  const gates = [...new Set(samples.map(({ gate }) => gate))].sort();
  return gates.map((gate) => {
    const own = samples.filter((one) => one.gate === gate);
    const last = own.filter(({ pid }) => pid === own.at(-1)!.pid);
    const [first, end] = [last[0]!.at, last.at(-1)!.at];
    const third = (n: number) => {
      const [from, to] = [n, n + 1].map((part) => first + ((end - first) * part) / 3);
      return last.filter(({ at }) => at >= from! && at <= to!);
    };
    const both = <T>(of: (part: readonly Sample[]) => T) => [of(third(1)), of(third(2))] as const;
    return {
      gate,
      seconds: end - first,
      resident: both((part) => middle(part.map(({ resident }) => resident))),
      heap: both((part) => Math.min(...part.map(({ heap }) => heap))),
    };
  });
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
