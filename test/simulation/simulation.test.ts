import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MUTANTS } from './mutants.ts';
import { MODES, runSeed } from './run-seed.ts';

const MAIN = join(import.meta.dirname, 'main.ts');
/** Seeds of one run here; `npm run prove -- simulation` runs many more. */
const SEEDS = 600;
/** Processes at one time. */
const WORKERS = 2;
/** Seeds within which each mistake must have been found. */
const MUTANT_SEEDS = 1_500;
/** Looked at first, around the one by which the mistake was found before. */
const NEAR_SEEDS = 16;
const LIMIT_MS = 300_000;

interface Summary {
  readonly seeds: number;
  readonly accepted: number;
  readonly streamed: number;
  readonly refused: number;
  readonly unavailable: number;
  readonly effective: number;
  readonly uncertain: number;
  readonly failovers: number;
  readonly violation: {
    readonly seed: number;
    readonly mode: string;
    readonly violation: string;
  } | null;
}

let free = WORKERS;
const waiting: (() => void)[] = [];

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (free > 0) free -= 1;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next === undefined) free += 1;
    else next();
  }
}

const simulate = (...words: string[]) => inTurn(() => simulated(words));

/** Near the seed that has found it before, and from the first one on where it is not there. */
async function findViolation(mutant: string): Promise<Summary> {
  const { near = 0 } = MUTANTS[mutant]!;
  const look = (from: number, count: number) =>
    simulate('--mutant', mutant, '--from', String(from), '--count', String(count));
  const found = await look(near, near === 0 ? MUTANT_SEEDS : NEAR_SEEDS);
  return found.violation !== null || near === 0 ? found : look(0, MUTANT_SEEDS);
}

/** In a process of its own: mistakes are made in the source as it is loaded. */
async function simulated(words: readonly string[]): Promise<Summary> {
  const child = spawn(process.execPath, [MAIN, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  await new Promise((resolve) => child.once('close', resolve));
  const last = out.trimEnd().split('\n').at(-1) ?? '';
  if (!last.startsWith('{')) throw new Error(`the simulation ended without a summary:\n${err}`);
  return JSON.parse(last) as Summary;
}

describe('instances, a store and their clocks, with everything that can go wrong between them', () => {
  it(
    `keep every promise over ${SEEDS} seeds`,
    async () => {
      const share = SEEDS / WORKERS;
      const runs = Array.from({ length: WORKERS }, (_, n) =>
        simulate('--from', String(n * share), '--count', String(share)),
      );
      const summaries = await Promise.all(runs);
      expect(summaries.flatMap(({ violation }) => violation ?? [])).toEqual([]);
      const sum = (
        key:
          | 'seeds'
          | 'accepted'
          | 'streamed'
          | 'refused'
          | 'unavailable'
          | 'effective'
          | 'uncertain'
          | 'failovers',
      ) => summaries.reduce((total, one) => total + one[key], 0);
      expect(sum('seeds')).toBe(SEEDS);
      // A run in which nothing is let in, nothing is revoked or nothing goes wrong proves nothing.
      expect(sum('accepted')).toBeGreaterThan(SEEDS * 50);
      expect(sum('streamed')).toBeGreaterThan(SEEDS * 50);
      expect(sum('refused')).toBeGreaterThan(SEEDS * 50);
      expect(sum('unavailable')).toBeGreaterThan(SEEDS * 10);
      expect(sum('effective')).toBeGreaterThan(SEEDS * 2);
      expect(sum('uncertain')).toBeGreaterThan(SEEDS / 10);
      expect(sum('failovers')).toBeGreaterThan(SEEDS / 4);
    },
    LIMIT_MS,
  );

  it.each(MODES)('happen in the same way for the same seed (%s)', async (mode) => {
    const [one, other] = [
      await runSeed(7, { mode, verbose: true }),
      await runSeed(7, { mode, verbose: true }),
    ];
    expect(one.log.length).toBeGreaterThan(5);
    expect(other).toEqual(one);
    expect((await runSeed(8, { mode, verbose: true })).log).not.toEqual(one.log);
  });
});

describe('mistakes in the source', () => {
  it.concurrent.each(Object.keys(MUTANTS))(
    '%s is found, and found again by its seed',
    async (mutant) => {
      const { violation } = await findViolation(mutant);
      expect(
        violation,
        `the mistake ${mutant} was not found in ${MUTANT_SEEDS} seeds`,
      ).not.toBeNull();
      const seed = String(violation?.seed);
      expect(
        (await simulate('--mutant', mutant, '--from', seed, '--count', '1')).violation,
      ).toEqual(violation);
      expect((await simulate('--from', seed, '--count', '1')).violation).toBeNull();
    },
    LIMIT_MS,
  );
});
