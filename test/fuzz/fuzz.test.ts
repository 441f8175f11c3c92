import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { KINDS } from './fuzz.ts';
import { MUTANTS, type Mutant } from './mutants.ts';

/**
 * Runs as people run it, in a process of its own: nothing of the test runner is then in the way of
 * either parser.
 */
const PROGRAM = join(import.meta.dirname, '..', 'prove', 'fuzz.ts');
const SOURCE = join(import.meta.dirname, '..', '..', 'src');
/** What the engine is made of, all of it. */
const ENGINE = ['http', 'http1', 'upstream', 'deadlines.ts'] as const;
const SEED = 20_261;
const SECONDS = 8;
/** Within so many cases each mutant must be found. */
const CASES = 40_000;

/** What must have been let in for a run to have said anything. */
const EXERCISED = {
  requests: ['none', 'length', 'chunked'],
  responses: ['none, kept', 'length, kept', 'chunked, kept', 'none', 'length', 'chunked', 'close'],
};

interface Run {
  readonly output: string;
  readonly code: number;
}

function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Run> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [PROGRAM, ...args],
      { env: { ...process.env, SEED: `${SEED}`, ...env } },
      (error, stdout, stderr) =>
        resolve({ output: stdout + stderr, code: error === null ? 0 : Number(error.code ?? 1) }),
    );
  });
}

describe.each(KINDS)('random %s', (kind) => {
  it('that we let in are let in by Node’s parser and read the same', {
    timeout: 60_000,
  }, async () => {
    const { output, code } = await run([kind, '--cases', 'Infinity', '--seconds', `${SECONDS}`]);
    expect(output).toMatch(new RegExp(`^${kind}: \\d+ cases`));
    expect(code, output).toBe(0);
    for (const what of EXERCISED[kind]) expect(output).toMatch(new RegExp(` ${what}: [1-9]\\d`));
    console.log(output.trim());
  });
});

/** `work` with a copy of the HTTP/1.1 engine that has this fault. */
async function withMutant<T>(
  { file, from, to }: Mutant,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-mutant-'));
  try {
    for (const part of ENGINE) cpSync(join(SOURCE, part), join(folder, part), { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    const source = readFileSync(join(folder, file), 'utf8');
    expect(
      source.split(from),
      `${file} has changed: this mutant says nothing any more`,
    ).toHaveLength(2);
    writeFileSync(join(folder, file), source.replace(from, to));
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

it.each(MUTANTS)(
  'finds and repeats the fault that $name ($kind)',
  { timeout: 60_000 },
  async (mutant) => {
    await withMutant(mutant, async (engine) => {
      const found = await run([mutant.kind, '--cases', `${CASES}`], { ENGINE: engine });
      const seed = /^SEED=(\d+) npm run prove -- fuzz /m.exec(found.output)?.[1];
      expect(found.code, found.output).toBe(1);
      expect(seed, found.output).toBeDefined();
      const repeated = await run([mutant.kind, '--cases', '1'], { ENGINE: engine, SEED: seed! });
      expect(repeated.output.split('\n').slice(1)).toEqual(found.output.split('\n').slice(1));
      console.log(`after ${Number(seed) - SEED + 1} cases: ${found.output.split('\n')[2]?.trim()}`);
    });
  },
);
